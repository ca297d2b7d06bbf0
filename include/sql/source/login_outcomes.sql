-- purpose: attempts to log in within [since, until) and the stretch before it, by five minutes, user and source: refused and accepted;
--          an attack that was under way when the review before ended is counted whole; our own probe's left out (D48, D61)
-- procedure: WM-07
-- columns: starts_at timestamptz, username text, source text, refused bigint, accepted bigint
-- privilege: select on login_attempts
-- access: read-only
select date_bin(interval '5 minutes', at, timestamptz '2000-01-01 00:00:00Z') as starts_at,
       username,
       coalesce(source_ip, '') as source,
       count(*) filter (where not success) as refused,
       count(*) filter (where success) as accepted
  from login_attempts
 where username <> %(synthetic_user)s
   and at >= %(since)s::timestamptz - make_interval(mins => %(minutes)s::integer)
   and at < %(until)s::timestamptz
 group by 1, 2, 3
 order by 1, 2, 3
