-- purpose: fault: a sequence set back behind its table
-- procedure: M3-07
-- columns: setval bigint
-- privilege: superuser of the throw-away server
-- access: writes
select setval(pg_get_serial_sequence('selftest_entry', 'id'), 1)
