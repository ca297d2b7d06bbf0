-- purpose: fault: an index that is not kept up while this is false
-- procedure: M3-07
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
update pg_index set indisready = %(ready)s
 where indexrelid = 'selftest_account_name_key'::regclass
