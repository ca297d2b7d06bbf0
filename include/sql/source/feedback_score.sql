-- purpose: how users rated the application (1 to 5) in [since, until)
-- procedure: M2-03, RP-04
-- columns: ratings bigint, users bigint, mean float, low bigint
-- privilege: select on feedback
-- access: read-only
select count(*) as ratings,
       count(distinct username) as users,
       avg(rating)::float as mean,
       count(*) filter (where rating <= 2) as low
  from feedback
 where username <> %(synthetic_user)s
   and at >= %(since)s::timestamptz
   and at < %(until)s::timestamptz
