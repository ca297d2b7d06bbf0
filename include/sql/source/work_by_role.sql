-- purpose: what the holders of each role did in [since, until): people with a session in use, calculations and reports completed, exports; who has several roles counts with each
-- procedure: M2-07, RP-04
-- columns: role text, users bigint, calculations bigint, reports bigint, exports bigint
-- privilege: select on app_users (user_id, username), app_user_roles, app_roles, app_sessions, calculation_jobs, report_jobs, data_access
-- access: read-only
with active as (
    select distinct user_id
      from app_sessions
     where created_at < %(until)s::timestamptz and last_seen_at >= %(since)s::timestamptz
), work as (
    select requested_by as username, 'calculation' as kind
      from calculation_jobs
     where status = 'completed' and finished_at >= %(since)s::timestamptz and finished_at < %(until)s::timestamptz
    union all
    select requested_by, 'report'
      from report_jobs
     where status = 'completed' and finished_at >= %(since)s::timestamptz and finished_at < %(until)s::timestamptz
    union all
    select username, 'export'
      from data_access
     where kind = 'export' and at >= %(since)s::timestamptz and at < %(until)s::timestamptz
), done as (
    select username,
           count(*) filter (where kind = 'calculation') as calculations,
           count(*) filter (where kind = 'report') as reports,
           count(*) filter (where kind = 'export') as exports
      from work
     group by username
)
select r.role_name as role,
       count(a.user_id) as users,
       coalesce(sum(d.calculations), 0)::bigint as calculations,
       coalesce(sum(d.reports), 0)::bigint as reports,
       coalesce(sum(d.exports), 0)::bigint as exports
  from app_users u
  join app_user_roles g using (user_id)
  join app_roles r using (role_id)
  left join active a using (user_id)
  left join done d using (username)
 where u.username <> %(synthetic_user)s
 group by r.role_name
 order by r.role_name
