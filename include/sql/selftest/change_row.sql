-- purpose: fault: a row changed after the restore
-- procedure: M3-07
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
update selftest_entry set amount = amount + 0.01 where id = 7
