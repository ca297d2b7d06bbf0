-- purpose: the keys of the rows that break one invariant, and how many there are up to the bound
-- procedure: M3-03
-- columns: key text, violations bigint
-- privilege: that of the invariant
-- access: read-only
-- The reason an invariant gives holds amounts and names; it is read by nobody here.
select key, count(*) over () as violations from (
{invariant}
) as broken
 limit %(shown)s
