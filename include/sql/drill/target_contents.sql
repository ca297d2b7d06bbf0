-- purpose: how many things of its own a database holds: nothing, when it is fit to be restored into
-- procedure: M3-02, ED-05
-- columns: things bigint
-- privilege: none
-- access: read-only
select (select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
         where n.nspname !~ '^pg_' and n.nspname <> 'information_schema')
     + (select count(*) from pg_proc p join pg_namespace n on n.oid = p.pronamespace
         where n.nspname !~ '^pg_' and n.nspname <> 'information_schema')
     + (select count(*) from pg_namespace
         where nspname !~ '^pg_' and nspname not in ('information_schema', 'public')) as things
