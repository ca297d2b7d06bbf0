-- purpose: the columns of the audit trail as the catalogue has them, and whether the table is partitioned
-- procedure: WM-03
-- columns: name text, type text, partitioned boolean
-- privilege: none
-- access: read-only
select a.attname::text as name,
       format_type(a.atttypid, a.atttypmod) as type,
       c.relkind = 'p' as partitioned
  from pg_attribute as a
  join pg_class as c on c.oid = a.attrelid
 where a.attrelid = to_regclass('audit_logs')
   and a.attnum > 0
   and not a.attisdropped
 order by a.attnum
