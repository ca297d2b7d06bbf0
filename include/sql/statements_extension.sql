-- purpose: whether pg_stat_statements can be read here: shipped with the server, created in this database, visible to us
-- procedure: DM-06
-- columns: shipped boolean, version text, schema text, sees_all_statements boolean
-- privilege: none
-- access: read-only
select exists (select from pg_available_extensions where name = 'pg_stat_statements') as shipped,
       e.extversion as version,
       n.nspname::text as schema,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') as sees_all_statements
  from (values (true)) as one(row)
  left join pg_extension e on e.extname = 'pg_stat_statements'
  left join pg_namespace n on n.oid = e.extnamespace
