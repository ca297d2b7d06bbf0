-- purpose: sessions in use and opened in [since, until), and how long people were in them within it, our own probe left out (D61)
-- procedure: ED-01, ED-02, ED-07, WF-12
-- columns: in_use bigint, opened bigint, mean_s float, ended_by_logout bigint, ended_by_expiry bigint, revoked bigint
-- privilege: select on app_sessions, app_users (user_id, username)
-- access: read-only
select count(*) as in_use,
       count(*) filter (where s.created_at >= %(since)s::timestamptz) as opened,
       avg(extract(epoch from least(s.last_seen_at, %(until)s::timestamptz) - greatest(s.created_at, %(since)s::timestamptz)))::float as mean_s,
       count(*) filter (where s.end_reason = 'logout' and s.ended_at < %(until)s::timestamptz) as ended_by_logout,
       count(*) filter (where s.end_reason = 'expired' and s.ended_at < %(until)s::timestamptz) as ended_by_expiry,
       count(*) filter (where s.end_reason = 'revoked' and s.ended_at < %(until)s::timestamptz) as revoked
  from app_sessions s
  join app_users u using (user_id)
 where u.username <> %(synthetic_user)s
   and s.created_at < %(until)s::timestamptz
   and s.last_seen_at >= %(since)s::timestamptz
