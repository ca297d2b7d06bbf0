-- purpose: roles that may do more than those the baseline names: superusers, makers of roles, readers of files, bypassers of row security
-- procedure: WM-09, WF-04
-- columns: kind text, key text, reason text
-- privilege: none
-- access: read-only
with recursive holds (member, roleid) as (
    select oid, oid from pg_roles
    union
    select h.member, m.roleid from holds h join pg_auth_members m on m.member = h.roleid
), mighty as (
    select r.rolname::text as name, p.may
      from pg_roles r
     cross join lateral (values (case when r.rolsuper then 'is a superuser' end),
                                (case when r.rolcreaterole then 'may make roles' end),
                                (case when r.rolreplication then 'may stream everything (REPLICATION)' end),
                                (case when r.rolbypassrls then 'passes row security' end)) p (may)
     where p.may is not null
    union all
    select r.rolname, format('is a member of %%s', g.rolname)
      from holds h join pg_roles r on r.oid = h.member join pg_roles g on g.oid = h.roleid
     where h.member <> h.roleid
       and (g.rolsuper or g.rolname in ('pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program'))
), allowed as (
    select * from mighty where name !~ '^pg_'
)
select 'looked at' as kind, (select count(*) from pg_roles where rolname !~ '^pg_')::text as key, '' as reason
union all
select 'violation', 'role ' || name, may from allowed where name <> all(%(allowed)s::text[])
 order by 1, 2, 3
