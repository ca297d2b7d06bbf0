-- purpose: a thousand accounts and one nobody books on
-- procedure: M3-07
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
insert into selftest_account (name)
select 'account ' || number from generate_series(1, 1001) as number
