-- purpose: how many rows a log table has, counted no further than needed
-- procedure: LM-01
-- columns: rows bigint
-- privilege: SELECT on the table
-- access: read-only
select count(*) as rows from (select 1 from {table} limit %(most)s) as few
