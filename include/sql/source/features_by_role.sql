-- purpose: what people did in [since, until) by action and role, as the audit trail has it: how often, by how many of them
-- procedure: ED-02, WF-12
-- columns: action text, role text, times bigint, users bigint
-- privilege: select on audit_logs, app_users (user_id, username, is_service), app_user_roles, app_roles
-- access: read-only
select l.action, coalesce(r.role_name, '(no role)') as role, count(*) as times, count(distinct l.actor) as users
  from audit_logs l
  join app_users u on u.username = l.actor
  left join app_user_roles g using (user_id)
  left join app_roles r using (role_id)
 where l.created_at >= %(since)s::timestamptz
   and l.created_at < %(until)s::timestamptz
   and u.username <> %(synthetic_user)s
 group by 1, 2
 order by 1, 2
