-- purpose: every account of the application with its roles, since when it exists, and when it was last used
-- procedure: M1-01
-- columns: username text, full_name text, account text, state text, roles text, since timestamptz, last_login timestamptz
-- privilege: select on app_users (all columns but the secrets), app_user_roles, app_roles, login_attempts
-- access: read-only
select u.username, u.full_name,
       case when u.is_service then 'service' else 'person' end as account,
       case when u.disabled then 'disabled' else 'enabled' end as state,
       coalesce((select string_agg(r.role_name, ' ' order by r.role_name)
                   from app_user_roles g join app_roles r using (role_id) where g.user_id = u.user_id), '') as roles,
       u.created_at as since,
       greatest(u.last_login_at, (select max(l.at) from login_attempts l
                                   where l.success and l.username = u.username and l.at < %(until)s::timestamptz)) as last_login
  from app_users u
 order by u.username
