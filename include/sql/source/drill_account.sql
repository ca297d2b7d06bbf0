-- purpose: on the restored copy only, the account the smoke checks log in with, and its right to order a calculation
-- procedure: M3-06
-- columns: user_id integer
-- privilege: superuser of the throw-away server
-- access: writes
with person as (
    insert into app_users (username, full_name, email, password_hash, totp_secret, is_service)
    values (%(username)s, 'CLO Ops drill', %(username)s || '@drill.invalid', %(password_hash)s, %(totp_secret)s, true)
    on conflict (username) do update
       set password_hash = excluded.password_hash, totp_secret = excluded.totp_secret, totp_last_step = null,
           disabled = false, locked_until = null
    returning user_id
)
insert into app_user_roles (user_id, role_id, granted_by)
select p.user_id, r.role_id, 'clo_ops drill'
  from person p, app_roles r
 where r.role_name = %(role)s
on conflict (user_id, role_id) do update set granted_by = excluded.granted_by
returning user_id
