-- purpose: the largest index of the database: a concurrent rebuild writes a second copy of it before the first may go
-- procedure: MW-04, WM-02
-- columns: name text, size_bytes bigint
-- privilege: none
-- access: read-only
select quote_ident(n.nspname) || '.' || quote_ident(c.relname) as name, pg_relation_size(c.oid) as size_bytes
  from pg_class c join pg_namespace n on n.oid = c.relnamespace
 where c.relkind = 'i' and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_toast'
 order by pg_relation_size(c.oid) desc
 limit 1
