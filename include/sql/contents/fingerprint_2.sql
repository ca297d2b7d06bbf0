-- purpose: how many rows one table has and the sum of the rows' hashes, whatever order they are stored in; from
--   PostgreSQL 14 on. The outer hash is what ties the values of a row together: without it the sum would be one of
--   columns, and two rows could swap a value unseen
-- procedure: M3-03, ED-03
-- columns: rows bigint, fingerprint text
-- privilege: SELECT on the table; none of its rows hidden by row security
-- access: read-only
select count(*) as rows,
       {prefix} || coalesce(sum(hashint8extended(hash_record_extended(row({values}), 0), 0)), 0) as fingerprint
  from only {table} as t
