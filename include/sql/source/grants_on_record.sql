-- purpose: roles given in [since, until) that no permission change speaks of, and audit rows of role changes without one
-- procedure: WM-08
-- columns: kind text, key text, reason text
-- privilege: select on app_user_roles, app_users (user_id, username), app_roles, permission_changes, audit_logs
-- access: read-only
with given as (
    select u.username, r.role_name, g.granted_at, g.granted_by
      from app_user_roles g join app_users u using (user_id) join app_roles r using (role_id)
     where g.granted_at >= %(since)s::timestamptz and g.granted_at < %(until)s::timestamptz
), noted as (
    select id, actor, action, object_id as username, detail ->> 'role' as role_name, created_at
      from audit_logs
     where object_type = 'user' and action in ('role_granted', 'role_revoked')
       and created_at >= %(since)s::timestamptz and created_at < %(until)s::timestamptz
), fault (key, reason) as (
    select format('%%s holds %%s', username, role_name),
           format('granted by %%s at %%s, no permission change on record', granted_by, to_char(granted_at, 'YYYY-MM-DD HH24:MI'))
      from given g
     where not exists (select from permission_changes c
                        where c.username = g.username and c.role_name = g.role_name and c.action = 'granted'
                          and c.at between g.granted_at - interval '5 minutes' and g.granted_at + interval '5 minutes')
    union all
    select 'audit row ' || id, format('%%s by %%s for %%s, no permission change on record', action, actor, username)
      from noted n
     where not exists (select from permission_changes c
                        where c.username = n.username and 'role_' || c.action = n.action
                          and c.role_name = coalesce(n.role_name, c.role_name)
                          and c.at between n.created_at - interval '5 minutes' and n.created_at + interval '5 minutes')
)
select 'looked at' as kind, ((select count(*) from given) + (select count(*) from noted))::text as key, '' as reason
union all
select 'violation', key, reason from fault
 order by 1, 2, 3
