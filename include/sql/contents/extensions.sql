-- purpose: the extensions of this database with their versions
-- procedure: M3-03, ED-03
-- columns: name text, version text
-- privilege: none
-- access: read-only
select extname::text as name, extversion as version from pg_extension order by 1
