-- purpose: the smallest and largest value of the column a sequence feeds
-- procedure: M3-03, ED-03
-- columns: smallest bigint, largest bigint
-- privilege: SELECT on the table
-- access: read-only
select min({column})::bigint as smallest, max({column})::bigint as largest from {table}
