-- purpose: how many rows break one invariant, up to the bound, and the first of their keys
-- procedure: M3-03
-- columns: violations bigint, keys text[]
-- privilege: that of the invariant
-- access: read-only
-- An aggregate, and no LIMIT round the query: that one would make the planner look for the first row instead of for
-- all of them. The reason an invariant gives holds amounts and names; it is read by nobody here.
select count(*) as violations, coalesce((array_agg(key order by key))[:%(shown)s], array[]::text[]) as keys from (
{invariant}
) as broken
