-- purpose: people, sessions and logins in [since, until) by role; an account with several roles counts with each (D61)
-- procedure: ED-02, WF-12
-- columns: role text, accounts bigint, users bigint, sessions bigint, opened bigint, mean_s float, accepted bigint, refused bigint
-- privilege: select on app_users (user_id, username, disabled), app_user_roles, app_roles, app_sessions, login_attempts
-- access: read-only
with holder as (
    select u.user_id, u.username, u.disabled, coalesce(r.role_name, '(no role)') as role
      from app_users u
      left join app_user_roles g using (user_id)
      left join app_roles r using (role_id)
     where u.username <> %(synthetic_user)s
), used as (
    select user_id, count(*) as sessions,
           count(*) filter (where created_at >= %(since)s::timestamptz) as opened,
           sum(extract(epoch from least(last_seen_at, %(until)s::timestamptz) - greatest(created_at, %(since)s::timestamptz))) as seconds
      from app_sessions
     where created_at < %(until)s::timestamptz and last_seen_at >= %(since)s::timestamptz
     group by user_id
), tried as (
    select username, count(*) filter (where success) as accepted, count(*) filter (where not success) as refused
      from login_attempts
     where at >= %(since)s::timestamptz and at < %(until)s::timestamptz and username <> %(synthetic_user)s
     group by username
)
select coalesce(h.role, '(no such account)') as role,
       count(h.user_id) filter (where not h.disabled) as accounts,
       count(s.user_id) as users,
       coalesce(sum(s.sessions), 0)::bigint as sessions,
       coalesce(sum(s.opened), 0)::bigint as opened,
       (sum(s.seconds) / sum(s.sessions))::float as mean_s,
       coalesce(sum(t.accepted), 0)::bigint as accepted,
       coalesce(sum(t.refused), 0)::bigint as refused
  from holder h
  left join used s using (user_id)
  full join tried t using (username)
 group by 1
 order by 1
