-- purpose: roles, memberships, grants and default privileges of the server and this database, one line each; what may be granted on
--          settings (PostgreSQL 15 and newer) is asked through query_to_xml, since an older server has no such table to name
-- procedure: WM-08, M1-01
-- columns: key text, value text
-- privilege: none
-- access: read-only
with named as (
    select oid, rolname::text as name from pg_roles
), acls (object, owner, acl) as (
    select 'database ' || datname, datdba, coalesce(datacl, acldefault('d', datdba)) from pg_database where not datistemplate
    union all
    select 'schema ' || nspname, nspowner, coalesce(nspacl, acldefault('n', nspowner))
      from pg_namespace where nspname !~ '^pg_(toast|temp)'
    union all
    select format('%%s %%I.%%I', case c.relkind when 'S' then 'sequence' else 'table' end, n.nspname, c.relname), c.relowner, c.relacl
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and n.nspname !~ '^pg_(toast|temp)' and n.nspname <> 'information_schema'
       and c.relacl is not null
       and (n.nspname <> 'pg_catalog' or c.relacl is distinct from (select i.initprivs from pg_init_privs i
             where i.objoid = c.oid and i.classoid = 'pg_class'::regclass and i.objsubid = 0))
    union all
    select format('column %%I.%%I.%%I', n.nspname, c.relname, a.attname), c.relowner, a.attacl
      from pg_attribute a join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
     where a.attacl is not null and n.nspname not in ('pg_catalog', 'information_schema') and n.nspname !~ '^pg_(toast|temp)'
    union all
    select format('function %%s', p.oid::regprocedure), p.proowner, p.proacl
      from pg_proc p join pg_namespace n on n.oid = p.pronamespace
     where p.proacl is not null and n.nspname <> 'information_schema'
       and (n.nspname <> 'pg_catalog' or p.proacl is distinct from (select i.initprivs from pg_init_privs i
             where i.objoid = p.oid and i.classoid = 'pg_proc'::regclass and i.objsubid = 0))
    union all
    select 'tablespace ' || spcname, spcowner, spcacl from pg_tablespace where spcacl is not null
    union all
    select 'language ' || lanname, lanowner, lanacl from pg_language where lanacl is not null
    union all
    select 'foreign data wrapper ' || fdwname, fdwowner, fdwacl from pg_foreign_data_wrapper where fdwacl is not null
    union all
    select 'foreign server ' || srvname, srvowner, srvacl from pg_foreign_server where srvacl is not null
    union all
    select format('type %%I.%%I', n.nspname, t.typname), t.typowner, t.typacl
      from pg_type t join pg_namespace n on n.oid = t.typnamespace where t.typacl is not null and n.nspname !~ '^pg_'
    union all
    select 'setting ' || x.name, 10::oid, x.acl::aclitem[]
      from xmltable('/table/row' passing case when to_regclass('pg_catalog.pg_parameter_acl') is not null
                        then query_to_xml('select parname as name, paracl::text as acl from pg_catalog.pg_parameter_acl', false, false, '') end
                    columns name text path 'name', acl text path 'acl') as x
)
select 'role ' || rolname as key,
       concat_ws(' ',
           case when rolsuper then 'SUPERUSER' end, case when rolcreaterole then 'CREATEROLE' end,
           case when rolcreatedb then 'CREATEDB' end, case when rolreplication then 'REPLICATION' end,
           case when rolbypassrls then 'BYPASSRLS' end, case when rolcanlogin then 'LOGIN' else 'NOLOGIN' end,
           case when not rolinherit then 'NOINHERIT' end, 'CONNECTION LIMIT ' || rolconnlimit,
           'VALID UNTIL ' || rolvaliduntil, 'SET ' || array_to_string(rolconfig, ' ')) as value
  from pg_roles
union all
select format('%%s is a member of %%s', m.name, g.name), case when a.admin_option then 'with admin option' else '' end
  from pg_auth_members a join named m on m.oid = a.member join named g on g.oid = a.roleid
union all
select format('%%s on %%s for %%s', string_agg(x.privilege_type, ', ' order by x.privilege_type), a.object,
              coalesce(r.name, 'everybody')),
       case when bool_or(x.is_grantable) then 'with grant option' else '' end
  from acls a cross join lateral aclexplode(a.acl) x left join named r on r.oid = x.grantee
 where x.grantee <> a.owner
 group by a.object, r.name
union all
select format('owner of %%s', a.object), o.name from acls a join named o on o.oid = a.owner where a.object !~ '^(column|function|language|type|setting)'
union all
select format('default privileges of %%s%%s on %%s for %%s', o.name, coalesce(' in schema ' || n.nspname, ''),
              case d.defaclobjtype when 'r' then 'tables' when 'S' then 'sequences' when 'f' then 'functions'
                                   when 'T' then 'types' else 'schemas' end, coalesce(r.name, 'everybody')),
       string_agg(x.privilege_type || case when x.is_grantable then ' with grant option' else '' end, ', '
                  order by x.privilege_type)
  from pg_default_acl d join named o on o.oid = d.defaclrole left join pg_namespace n on n.oid = d.defaclnamespace
 cross join lateral aclexplode(d.defaclacl) x left join named r on r.oid = x.grantee
 group by o.name, n.nspname, d.defaclobjtype, r.name
 order by 1, 2
