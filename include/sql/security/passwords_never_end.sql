-- purpose: roles that can log in and are not in the baseline's list, whose password never ends
-- procedure: WF-04
-- columns: kind text, key text, reason text
-- privilege: none
-- access: read-only
with able as (
    select rolname::text as name, rolvaliduntil from pg_roles where rolcanlogin
)
select 'looked at' as kind, count(*)::text as key, '' as reason from able
union all
select 'violation', 'role ' || name, 'its password never ends'
  from able where (rolvaliduntil is null or rolvaliduntil = 'infinity') and name <> all(%(service_roles)s::text[])
 order by 1, 2, 3
