-- purpose: a row nobody could guess; a restored copy that holds it was restored from the backup taken right after
-- procedure: ED-03, MW-04, M3-03
-- columns: canary_id bigint, nonce text, planted_at timestamptz
-- privilege: INSERT on backup_canary, SELECT on it for what comes back
-- access: writes
insert into backup_canary (nonce) values (%(nonce)s) returning canary_id, nonce, planted_at
