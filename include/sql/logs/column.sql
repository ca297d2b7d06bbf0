-- purpose: the type of the column that says how old a row is, about how many rows the table has, whether it has parts
-- procedure: LM-01
-- columns: type text, rows bigint, partitioned boolean
-- privilege: none
-- access: read-only
select format_type(a.atttypid, null) as type,
       (select coalesce(sum(greatest(leaf.reltuples, 0)), 0)::bigint
          from pg_partition_tree(c.oid) as part
          join pg_class as leaf on leaf.oid = part.relid
         where part.isleaf) as rows,
       c.relkind = 'p' as partitioned
  from pg_class as c
  join pg_attribute as a on a.attrelid = c.oid
 where c.oid = to_regclass(%(table)s)
   and a.attname = %(at)s
   and not a.attisdropped
   and a.attnum > 0
