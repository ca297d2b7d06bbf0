-- purpose: every use of a privilege in [since, until): who, when, what, with which roles held before it, and what for;
--          a role given by the use itself, or after it, was not held, one taken away since was
-- procedure: M1-04
-- columns: entry bigint, at timestamptz, actor text, known boolean, roles text[], action text, object text, purpose text
-- privilege: select on audit_logs, permission_changes, configuration_changes, app_users (user_id, username), app_user_roles, app_roles
-- access: read-only
select a.id as entry, a.created_at as at, a.actor, u.user_id is not null as known,
       array(select r.role_name from app_roles r
              where coalesce(
                        (select p.action = 'revoked' from permission_changes p
                          where p.username = a.actor and p.role_name = r.role_name and p.at >= a.created_at
                          order by p.at, p.change_id limit 1),
                        exists (select from app_user_roles g
                                 where g.user_id = u.user_id and g.role_id = r.role_id and g.granted_at < a.created_at))
              order by r.role_name) as roles,
       a.action, concat_ws(' ', a.object_type, a.object_id) as object,
       coalesce(
           nullif(a.detail ->> 'reason', ''),
           (select p.reason from permission_changes p
             where a.object_type = 'user' and p.username = a.object_id and 'role_' || p.action = a.action
               and p.at between a.created_at - interval '5 minutes' and a.created_at + interval '5 minutes'
             order by abs(extract(epoch from p.at - a.created_at)) limit 1),
           (select c.reason from configuration_changes c
             where a.object_type = 'setting' and c.setting = a.object_id
               and c.at between a.created_at - interval '5 minutes' and a.created_at + interval '5 minutes'
             order by abs(extract(epoch from c.at - a.created_at)) limit 1),
           '') as purpose
  from audit_logs a
  left join app_users u on u.username = a.actor
 where a.created_at >= %(since)s::timestamptz and a.created_at < %(until)s::timestamptz
   and a.action = any(%(actions)s::text[])
 order by a.id
