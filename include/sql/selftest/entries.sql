-- purpose: a few megabytes of entries, the same in every self-test
-- procedure: M3-07
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
insert into selftest_entry (account, amount, memo)
select 1 + number %% 1000, number / 100.0, repeat(md5(number::text), 3)
  from generate_series(1, %(rows)s) as number
