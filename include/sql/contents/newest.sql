-- purpose: the newest moment in one time column of one table
-- procedure: M3-03, ED-03
-- columns: newest timestamptz
-- privilege: SELECT on the table
-- access: read-only
select max({column})::timestamptz as newest from {table}
