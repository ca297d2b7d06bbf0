-- purpose: whether the row a backup planted just before it is there, and how many rows were planted after it
-- procedure: M3-03
-- columns: found bigint, rows bigint
-- privilege: SELECT on the canary's table
-- access: read-only
select count(*) filter (where nonce = %(nonce)s) as found, count(*) as rows from {table}
