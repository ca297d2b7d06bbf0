-- purpose: how many rows one table has and the sum of the rows' hashes, whatever order they are stored in
-- procedure: M3-03, ED-03
-- columns: rows bigint, fingerprint text
-- privilege: SELECT on the table; none of its rows hidden by row security
-- access: read-only
select count(*) as rows, coalesce(sum(hashtextextended(t::text collate "C", 0)), 0)::text as fingerprint
  from only {table} as t
