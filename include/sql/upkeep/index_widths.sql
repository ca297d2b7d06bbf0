-- purpose: how wide an entry of each B-tree index is by the planner's statistics, for an estimate of its size
-- procedure: WM-02
-- columns: oid bigint, width double precision, has_nulls boolean, columns integer, known integer, by_name boolean
-- privilege: SELECT on the columns: of others the statistics are not shown
-- access: read-only
-- The way of check_postgres and of ioguix' pgsql-bloat-estimation: entries times their width against pages.
select i.indexrelid::bigint as oid,
       coalesce(sum((1 - s.null_frac) * s.avg_width), 0)::double precision as width,
       coalesce(bool_or(s.null_frac > 0), false) as has_nulls,
       i.indnatts::int as columns,
       count(s.attname)::int as known,
       bool_or(ia.atttypid = 'name'::regtype) as by_name
  from pg_index i
  join pg_class c on c.oid = i.indexrelid
  join pg_am a on a.oid = c.relam and a.amname = 'btree'
  join pg_class t on t.oid = i.indrelid and t.relkind in ('r', 'm')
  join pg_namespace n on n.oid = t.relnamespace
  join pg_attribute ia on ia.attrelid = i.indexrelid and ia.attnum > 0
  left join pg_attribute ta on ta.attrelid = t.oid and ta.attnum = i.indkey[ia.attnum - 1] and ta.attnum > 0
  left join pg_stats s
    on s.schemaname = n.nspname
   and not s.inherited
   and s.tablename = case when ta.attnum is null then c.relname else t.relname end
   and s.attname = case when ta.attnum is null then ia.attname else ta.attname end
 where c.relkind = 'i' and i.indisvalid and c.relpersistence <> 't'
   and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast')
   and c.relpages > 0
 group by i.indexrelid, i.indnatts
