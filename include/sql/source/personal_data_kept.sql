-- purpose: records with personal data that are older than their class is kept, by table and month
-- procedure: WF-03
-- columns: kind text, key text, reason text
-- privilege: select on login_attempts, app_sessions, security_events, data_access
-- access: read-only
with kept (what, at, until) as (
    select 'login attempts', at, %(access_logs_from)s::timestamptz from login_attempts
    union all
    select 'sessions', created_at, %(access_logs_from)s::timestamptz from app_sessions
    union all
    select 'data accesses', at, %(access_logs_from)s::timestamptz from data_access
    union all
    select 'security events', at, %(security_logs_from)s::timestamptz from security_events
), over_ as (
    select what, to_char(at, 'YYYY-MM') as month, count(*) as rows_, max(until) as until
      from kept where at < until - %(grace)s::interval group by 1, 2
)
select 'looked at' as kind, count(*)::text as key, '' as reason from kept
union all
select 'violation', format('%%s of %%s', what, month), format('%%s rows, to be kept from %%s on', rows_, to_char(until, 'YYYY-MM-DD'))
  from over_
 order by 1, 2, 3
