-- purpose: enabled accounts that hold no role, roles nobody answers for, and roles given by somebody nobody knows
-- procedure: M1-03
-- columns: kind text, key text, reason text
-- privilege: select on app_users (user_id, username, disabled), app_user_roles, app_roles
-- access: read-only
with fault (key, reason) as (
    select 'account ' || u.username, 'is enabled and holds no role'
      from app_users u
     where not u.disabled and not exists (select from app_user_roles g where g.user_id = u.user_id)
    union all
    select 'role ' || r.role_name, 'nobody answers for it'
      from app_roles r
     where %(owners)s::jsonb -> r.role_name is null
    union all
    select format('account %%s, role %%s', u.username, r.role_name), format('given by %%s, who is no account', g.granted_by)
      from app_user_roles g join app_users u using (user_id) join app_roles r using (role_id)
     where not exists (select from app_users b where b.username = g.granted_by)
)
select 'looked at' as kind, ((select count(*) from app_users where not disabled) + (select count(*) from app_roles))::text as key, '' as reason
union all
select 'violation', key, reason from fault
 order by 1, 2, 3
