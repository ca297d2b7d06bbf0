-- purpose: whether amcheck is installed, could be, and in which schema it is
-- procedure: M3-03
-- columns: schema text, available text, server_major integer
-- privilege: none
-- access: read-only
select (select n.nspname::text from pg_extension e join pg_namespace n on n.oid = e.extnamespace
         where e.extname = 'amcheck') as schema,
       (select default_version from pg_available_extensions where name = 'amcheck') as available,
       current_setting('server_version_num')::int / 10000 as server_major
