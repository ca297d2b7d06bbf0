-- purpose: what amcheck can look at: valid B-tree indexes and tables of their own storage, largest first
-- procedure: M3-03
-- columns: oid oid, kind text, name text, is_unique boolean, pages integer
-- privilege: none
-- access: read-only
select c.oid, case when i.indexrelid is null then 'table' else 'index' end as kind,
       n.nspname || '.' || c.relname as name, coalesce(i.indisunique, false) as is_unique,
       c.relpages as pages
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_am a on a.oid = c.relam
  left join pg_index i on i.indexrelid = c.oid
 where c.relpersistence = 'p' and n.nspname !~ '^pg_(temp|toast_temp)' and n.nspname <> 'information_schema'
   and ((c.relkind = 'i' and a.amname = 'btree' and i.indisready and i.indisvalid)
        or (c.relkind in ('r', 'm') and a.amname = 'heap'))
 order by pages desc, name
