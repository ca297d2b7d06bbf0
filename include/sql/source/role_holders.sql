-- purpose: who holds which role of the application now, and whether the account can be used
-- procedure: WM-08
-- columns: key text, value text
-- privilege: select on app_users (user_id, username, disabled, is_service), app_user_roles, app_roles
-- access: read-only
select format('application account %%s', u.username) as key,
       concat_ws(', ',
           case when u.disabled then 'disabled' else 'enabled' end,
           case when u.is_service then 'service account' end,
           'roles: ' || coalesce(nullif((select string_agg(r.role_name, ' ' order by r.role_name)
                                    from app_user_roles g join app_roles r using (role_id)
                                   where g.user_id = u.user_id), ''), 'none')) as value
  from app_users u
 order by 1
