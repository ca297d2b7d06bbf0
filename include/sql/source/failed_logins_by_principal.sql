-- purpose: refused logins in [since, until) of each user and of each source, our own probe's left out (D48, D61)
-- procedure: AL-06, WM-07
-- columns: principal text, refused bigint
-- privilege: select on login_attempts
-- access: read-only
with refused as (
    select username, source_ip
      from login_attempts
     where not success
       and username <> %(synthetic_user)s
       and at >= %(since)s
       and at < %(until)s
)
select 'user ' || username as principal, count(*) as refused
  from refused
 group by username
union all
select 'source ' || source_ip, count(*)
  from refused
 where source_ip is not null
 group by source_ip
 order by refused desc
 limit 1000
