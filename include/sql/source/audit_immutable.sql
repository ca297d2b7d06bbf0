-- purpose: roles that may change or remove audit rows, or one column of them, and are not named for it, and triggers of the trail that are gone or off
-- procedure: WF-02
-- columns: kind text, key text, reason text
-- privilege: select on audit_logs and audit_anchor, to resolve their names
-- access: read-only
with kept (relation) as (
    values ('audit_logs'::regclass), ('audit_anchor'::regclass)
), may as (
    select r.rolname::text as name, k.relation::text as relation, p.privilege
      from pg_roles r cross join kept k cross join (values ('UPDATE'), ('DELETE'), ('TRUNCATE')) p (privilege)
     where not r.rolsuper and r.rolname !~ '^pg_' 
       and case p.privilege when 'UPDATE' then has_any_column_privilege(r.oid, k.relation, p.privilege)
                            else has_table_privilege(r.oid, k.relation, p.privilege) end
), fault (key, reason) as (
    select format('role %%s on %%s', name, relation), 'may ' || lower(string_agg(privilege, ', ' order by privilege))
      from may
     where format('%%s %%s on %%s', name, privilege, relation) <> all(%(allowed)s::text[])
     group by name, relation
    union all
    select 'trigger ' || t.name, case when g.oid is null then 'is not there' else 'is switched off' end
      from unnest(%(triggers)s::text[]) as t (name)
      left join pg_trigger g on g.tgname = t.name and g.tgrelid = 'audit_logs'::regclass
     where g.oid is null or g.tgenabled not in ('O', 'A')
)
select 'looked at' as kind, (select count(*) from pg_roles where not rolsuper and rolname !~ '^pg_')::text as key, '' as reason
union all
select 'violation', key, reason from fault
 order by 1, 2, 3
