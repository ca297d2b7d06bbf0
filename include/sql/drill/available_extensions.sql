-- purpose: the extensions a server can make, in each version it has
-- procedure: M3-01
-- columns: name text, versions text[]
-- privilege: none
-- access: read-only
select name::text as name, array_agg(version::text order by version) as versions
  from pg_available_extension_versions
 group by name
 order by name
