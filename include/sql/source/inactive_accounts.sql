-- purpose: enabled accounts unused for longer than unused_for, or never used and older than never_after; our own probe left out (D60, D61)
-- procedure: M1-02
-- columns: username text, account text, roles text, since timestamptz, last_login timestamptz, looked_at bigint
-- privilege: select on app_users (all columns but the secrets), app_user_roles, app_roles, login_attempts
-- access: read-only
with account as (
    select u.username, u.is_service, u.created_at as since,
           coalesce((select string_agg(r.role_name, ' ' order by r.role_name)
                       from app_user_roles g join app_roles r using (role_id) where g.user_id = u.user_id), '') as roles,
           greatest(u.last_login_at, (select max(l.at) from login_attempts l
                                       where l.success and l.username = u.username and l.at < %(until)s::timestamptz)) as last_login
      from app_users u
     where not u.disabled and u.username <> %(synthetic_user)s
)
select a.username, case when a.is_service then 'service' else 'person' end as account, a.roles, a.since, a.last_login,
       n.looked_at
  from (select count(*) as looked_at from account) n
  left join account a
    on a.last_login < %(until)s::timestamptz - %(unused_for)s::interval
    or (a.last_login is null and a.since < %(until)s::timestamptz - %(never_after)s::interval)
 order by a.username
