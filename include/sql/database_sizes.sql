-- purpose: size of each database on the server
-- procedure: DM-07, DM-08
-- columns: database text, size_bytes bigint
-- privilege: pg_monitor, or CONNECT on the database; databases without either are left out
-- access: read-only
select datname::text as database,
       pg_database_size(oid) as size_bytes
  from pg_database
 where not datistemplate
   and datallowconn
   and (has_database_privilege(oid, 'CONNECT') or pg_has_role(current_user, 'pg_read_all_stats', 'USAGE'))
 order by datname
