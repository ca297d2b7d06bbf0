-- purpose: accepted logins in [since, until) by user, source and hour, with the login before and the sources known of that user
-- procedure: WM-06
-- columns: username text, source text, hour timestamptz, logins bigint, first_at timestamptz, previous_at timestamptz, account_since timestamptz, record_since timestamptz, roles text[], known_sources text[]
-- privilege: select on login_attempts, app_users (user_id, username, created_at), app_user_roles, app_roles
-- access: read-only
with days as (
    select distinct (at at time zone 'UTC')::date as day from login_attempts where at < %(until)s::timestamptz
), gaps as (
    select day, day - lag(day) over (order by day) as missing from days
), record as (
    -- A record with a hole of more than a week tells nothing of the time before the hole.
    select coalesce(max(day) filter (where missing > 7), min(day))::timestamp at time zone 'UTC' as since from gaps
), accepted as (
    select username, coalesce(source_ip, '') as source, at,
           lag(at) over (partition by username order by at, attempt_id) as previous_at
      from login_attempts
     where success
       and username <> %(synthetic_user)s
       and at < %(until)s::timestamptz
), recent as (
    select username, source, date_trunc('hour', at, 'UTC') as hour, count(*) as logins, min(at) as first_at,
           (array_agg(previous_at order by at))[1] as previous_at
      from accepted
     where at >= %(since)s::timestamptz
     group by username, source, date_trunc('hour', at, 'UTC')
), known as (
    select username, array_agg(distinct source order by source) as sources
      from accepted
     where at < %(since)s::timestamptz
     group by username
)
select r.username, r.source, r.hour, r.logins, r.first_at, r.previous_at, u.created_at as account_since,
       (select since from record) as record_since,
       array(select a.role_name from app_user_roles o join app_roles a using (role_id)
              where o.user_id = u.user_id order by a.role_name) as roles,
       coalesce(k.sources, '{}') as known_sources
  from recent r
  left join app_users u using (username)
  left join known k using (username)
 order by r.hour, r.username, r.source
