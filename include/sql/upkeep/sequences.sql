-- purpose: how far each sequence is, and how far it and the column it feeds can count
-- procedure: WM-01
-- columns: schema text, name text, type text, last_value bigint, may_read boolean, increment bigint, minimum bigint, maximum bigint, cycles boolean, feeds text, column_type text
-- privilege: SELECT or USAGE on the sequences
-- access: read-only
-- A sequence counts in bigint unless told otherwise; a column of type integer ends at 2,147 million all the same.
-- It feeds the column that owns it, or that draws its default from it.
with feeding as (
    select d.objid as sequence, d.refobjid as relation, d.refobjsubid::int as attribute
      from pg_depend d
     where d.classid = 'pg_class'::regclass and d.refclassid = 'pg_class'::regclass and d.refobjsubid > 0
       and d.deptype in ('a', 'i')
     union
    select d.refobjid, f.adrelid, f.adnum::int
      from pg_depend d
      join pg_attrdef f on f.oid = d.objid
     where d.classid = 'pg_attrdef'::regclass and d.refclassid = 'pg_class'::regclass and d.deptype = 'n'
)
select n.nspname::text as schema, c.relname::text as name, format_type(q.seqtypid, null) as type,
       case when has_sequence_privilege(c.oid, 'SELECT, USAGE') then pg_sequence_last_value(c.oid) end as last_value,
       has_sequence_privilege(c.oid, 'SELECT, USAGE') as may_read,
       q.seqincrement as increment, q.seqmin as minimum, q.seqmax as maximum, q.seqcycle as cycles,
       coalesce(f.relation::regclass::text || '.' || a.attname, '') as feeds,
       coalesce(format_type(a.atttypid, null), '') as column_type
  from pg_sequence q
  join pg_class c on c.oid = q.seqrelid
  join pg_namespace n on n.oid = c.relnamespace
  left join feeding f on f.sequence = c.oid
  left join pg_attribute a on a.attrelid = f.relation and a.attnum = f.attribute
 where c.relpersistence <> 't'
 order by n.nspname, c.relname, feeds
