-- purpose: the columns of every table with rows of its own, and how each goes into a row's hash: as it is where equal
--   values of its type are written alike; text by its bytes, whatever its collation holds equal; a numeric with its
--   scale where the column fixes none (1.0 and 1.00 are equal); everything else as text
-- procedure: M3-03, ED-03
-- columns: schema text, name text, columns text[], hashed text[]
-- privilege: none
-- access: read-only
select n.nspname::text as schema, c.relname::text as name, array_agg(a.attname::text order by a.attnum) as columns,
       array_agg(case when a.atttypid in ('int2'::regtype, 'int4'::regtype, 'int8'::regtype, 'bool'::regtype,
                                          'date'::regtype, 'timestamp'::regtype, 'timestamptz'::regtype,
                                          'time'::regtype, 'uuid'::regtype, 'bytea'::regtype) then 'plain'
                      when a.atttypid in ('text'::regtype, 'varchar'::regtype) then 'text'
                      when a.atttypid = 'numeric'::regtype then case when a.atttypmod = -1 then 'scaled' else 'plain' end
                      else 'cast' end
                 order by a.attnum) as hashed
  from pg_class c
  join pg_namespace n on n.oid = c.relnamespace
  join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
 where c.relkind = 'r' and c.relpersistence <> 't' and n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
 group by 1, 2
