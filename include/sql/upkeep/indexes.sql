-- purpose: every index with its size, its use, what it is for and in what state it is
-- procedure: WM-02
-- columns: oid bigint, schema text, name text, table_schema text, table_name text, kind text, method text, bytes bigint, rows double precision, table_rows double precision, filled integer, uses text, is_unique boolean, is_primary boolean, is_exclusion boolean, nulls_apart boolean, constraint_type text, constraint_name text, parts text[], included text[], predicate text, replica_identity boolean, clustered boolean, of_partition boolean, valid boolean, ready boolean, live boolean, building boolean, made_by bigint, scans bigint, last_scan timestamptz, owner text, may boolean, may_name boolean
-- privilege: pg_monitor, to see what is being built
-- access: read-only
-- made_by is the transaction that made the entry of the index's first column, which nothing changes afterwards.
-- Two columns of later versions are read where the server has them. An index dropped in this moment has no size.
with maintainer as (
    select oid, rolsuper from pg_roles where rolname = %(maintainer)s
)
select c.oid::bigint as oid,
       n.nspname::text as schema, c.relname::text as name,
       tn.nspname::text as table_schema, t.relname::text as table_name,
       case c.relkind when 'I' then 'partitioned' else case when t.relkind = 't' then 'toast' else 'index' end end as kind,
       a.amname::text as method,
       case c.relkind when 'I' then 0 else coalesce(pg_relation_size(c.oid), 0) end::bigint as bytes,
       c.reltuples::double precision as rows, t.reltuples::double precision as table_rows,
       coalesce((select option_value::int from pg_options_to_table(c.reloptions) where option_name = 'fillfactor'),
                90) as filled,
       coalesce((select string_agg(distinct co.conname::text, ', ') from pg_constraint co
                  where co.conindid = i.indexrelid and co.contype = 'f'), '') as uses,
       i.indisunique as is_unique, i.indisprimary as is_primary, i.indisexclusion as is_exclusion,
       coalesce((to_jsonb(i) ->> 'indnullsnotdistinct')::boolean, false) as nulls_apart,
       coalesce(k.contype::text, '') as constraint_type, coalesce(k.conname::text, '') as constraint_name,
       array(select coalesce(pg_get_indexdef(i.indexrelid, p, false), '') || ' ' || i.indclass[p - 1] || ' ' || i.indcollation[p - 1]
                    || ' ' || i.indoption[p - 1]
               from generate_series(1, i.indnkeyatts) p order by p) as parts,
       array(select coalesce(pg_get_indexdef(i.indexrelid, p, false), '')
               from generate_series(i.indnkeyatts + 1, i.indnatts) p order by p) as included,
       coalesce(pg_get_expr(i.indpred, i.indrelid), '') as predicate,
       i.indisreplident as replica_identity, i.indisclustered as clustered, c.relispartition as of_partition,
       i.indisvalid as valid, i.indisready as ready, i.indislive as live,
       exists (select from pg_stat_progress_create_index b
                where b.datname = current_database() and b.relid = i.indrelid) as building,
       (select attr.xmin::text::bigint from pg_attribute attr
         where attr.attrelid = c.oid and attr.attnum = 1) as made_by,
       coalesce(s.idx_scan, 0)::bigint as scans,
       (to_jsonb(s) ->> 'last_idx_scan')::timestamptz as last_scan,
       pg_get_userbyid(c.relowner)::text as owner,
       coalesce(m.rolsuper
                or pg_has_role(m.oid, c.relowner, 'USAGE')
                or case when current_setting('server_version_num')::int >= 170000
                        then has_table_privilege(m.oid, t.oid, 'MAINTAIN') else false end, false) as may,
       coalesce(m.rolsuper or has_schema_privilege(m.oid, n.oid, 'USAGE'), false) as may_name
  from pg_index i
  join pg_class c on c.oid = i.indexrelid
  join pg_namespace n on n.oid = c.relnamespace
  join pg_am a on a.oid = c.relam
  join pg_class t on t.oid = i.indrelid
  join pg_namespace tn on tn.oid = t.relnamespace
  left join pg_constraint k on k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x') and k.conrelid = i.indrelid
  left join pg_stat_all_indexes s on s.indexrelid = c.oid
  left join maintainer m on true
 where c.relpersistence <> 't'
   and n.nspname not in ('pg_catalog', 'information_schema')
   and n.nspname !~ '^pg_(toast_)?temp'
   -- tables of the system itself keep their large values in pg_toast too
   and not exists (select from pg_class o join pg_namespace os on os.oid = o.relnamespace
                    where o.reltoastrelid = t.oid and (os.nspname = 'pg_catalog' or os.nspname = 'information_schema'))
 order by bytes desc, n.nspname, c.relname
