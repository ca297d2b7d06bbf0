-- purpose: what everybody may do that only owners should: make objects in a schema, touch a table, run a function as its owner; what extensions bring is theirs
-- procedure: WF-04
-- columns: kind text, key text, reason text
-- privilege: none
-- access: read-only
with schema_ as (
    select n.nspname, n.nspacl, n.nspowner from pg_namespace n where n.nspname !~ '^pg_' and n.nspname <> 'information_schema'
), fault (key, reason) as (
    select 'schema ' || s.nspname, 'everybody may make objects in it'
      from schema_ s cross join lateral aclexplode(coalesce(s.nspacl, acldefault('n', s.nspowner))) x
     where x.grantee = 0 and x.privilege_type = 'CREATE'
    union all
    select format('table %%I.%%I', n.nspname, c.relname), 'everybody may ' || lower(string_agg(x.privilege_type, ', '))
      from pg_class c join pg_namespace n on n.oid = c.relnamespace join schema_ s on s.nspname = n.nspname
     cross join lateral aclexplode(c.relacl) x
     where x.grantee = 0 and c.relkind in ('r', 'p', 'v', 'm')
       and not exists (select from pg_depend d where d.objid = c.oid and d.classid = 'pg_class'::regclass and d.deptype = 'e')
     group by 1
    union all
    select format('function %%s', p.oid::regprocedure), 'runs as its owner, with the search path of whoever calls it'
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace join schema_ s on s.nspname = n.nspname
     where p.prosecdef
       and not exists (select from pg_depend d where d.objid = p.oid and d.classid = 'pg_proc'::regclass and d.deptype = 'e')
       and not exists (select from unnest(p.proconfig) c where c like 'search_path=%%')
)
select 'looked at' as kind, count(*)::text as key, '' as reason from schema_
union all
select 'violation', key, reason from fault
 order by 1, 2, 3
