-- purpose: how many rows of a range still stand in the live table; at most so many are counted
-- procedure: WM-03
-- columns: rows bigint
-- privilege: SELECT on audit_logs
-- access: read-only
select count(*) as rows
  from (select 1 from audit_logs where id between %(first)s and %(last)s limit %(at_most)s) as present
