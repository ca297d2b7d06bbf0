-- purpose: fault: a row taken out and put back as it was, behind the back of an index
-- procedure: M3-07
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
with gone as (delete from selftest_account where name = 'account 1001' returning id, name)
insert into selftest_account (id, name) overriding system value select id, name from gone
