-- purpose: how many rows of a range still stand in the live table
-- procedure: WM-03
-- columns: rows bigint
-- privilege: SELECT on audit_logs
-- access: read-only
select count(*) as rows from audit_logs where id between %(first)s and %(last)s
