-- purpose: the tables that hold rows of their own: plain ones and the leaves of partitioned ones, largest first
-- procedure: M3-03, ED-03
-- columns: schema text, name text, bytes bigint
-- privilege: none
-- access: read-only
select n.nspname::text as schema, c.relname::text as name, pg_relation_size(c.oid) as bytes
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'r' and c.relpersistence <> 't'
   and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
   and not exists (select from pg_depend d
                    where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
 order by bytes desc, 1, 2
