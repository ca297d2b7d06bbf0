-- purpose: where a throw-away primary is in its WAL, and on which timeline it writes
-- procedure: M3-04, M3-05
-- columns: lsn text, timeline integer, system_identifier text
-- privilege: none
-- access: read-only
select pg_current_wal_lsn()::text as lsn,
       ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::integer as timeline,
       (select system_identifier::text from pg_control_system()) as system_identifier
