-- purpose: people who had a session in use at some time in [since, until), our own probe left out (D61)
-- procedure: DM-07, BH-02, ED-07
-- columns: users bigint
-- privilege: select on app_sessions, app_users
-- access: read-only
select count(distinct s.user_id) as users
  from app_sessions s
  join app_users u using (user_id)
 where u.username <> %(synthetic_user)s
   and s.created_at < %(until)s
   and s.last_seen_at >= %(since)s
