-- purpose: on the restored copy only, the synthetic account (D61) may order a calculation
-- procedure: M3-06
-- columns: user_id integer
-- privilege: superuser of the throw-away server
-- access: writes
with given as (
    insert into app_user_roles (user_id, role_id, granted_by)
    select u.user_id, r.role_id, 'clo_ops drill'
      from app_users u, app_roles r
     where u.username = %(username)s and r.role_name = %(role)s
    on conflict (user_id, role_id) do nothing
)
select u.user_id
  from app_users u, app_roles r
 where u.username = %(username)s and r.role_name = %(role)s
