-- purpose: every sequence, its definition's direction and step, and the column it feeds
-- procedure: M3-03, ED-03
-- columns: schema text, name text, increment bigint, table_schema text, table_name text, column_name text
-- privilege: none
-- access: read-only
select n.nspname::text as schema, c.relname::text as name, s.seqincrement as increment,
       fed.table_schema, fed.table_name, fed.column_name
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_sequence s on s.seqrelid = c.oid
  left join lateral (
       select tn.nspname::text as table_schema, t.relname::text as table_name, a.attname::text as column_name
         from (select d.refobjid as relation, d.refobjsubid as number, 1 as rank
                 from pg_depend d
                where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.refclassid = 'pg_class'::regclass
                  and d.deptype in ('a', 'i') and d.refobjsubid > 0
               union all
               select ad.adrelid, ad.adnum, 2
                 from pg_depend d join pg_attrdef ad on d.classid = 'pg_attrdef'::regclass and ad.oid = d.objid
                where d.refclassid = 'pg_class'::regclass and d.refobjid = c.oid) as feeds
         join pg_class t on t.oid = feeds.relation
         join pg_namespace tn on tn.oid = t.relnamespace
         join pg_attribute a on a.attrelid = t.oid and a.attnum = feeds.number and not a.attisdropped
        where a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'numeric'::regtype)
        order by feeds.rank, 1, 2, 3
        limit 1) as fed on true
 where c.relkind = 'S' and c.relpersistence <> 't' and n.nspname !~ '^pg_'
   and not exists (select from pg_depend d
                    where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e')
 order by 1, 2
