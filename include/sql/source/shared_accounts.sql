-- purpose: accounts that were used from more networks within an hour than one person works in: several people share them
-- procedure: M1-03
-- columns: kind text, key text, reason text
-- privilege: select on login_attempts
-- access: read-only
with hour as (
    select username, date_trunc('hour', at, 'UTC') as hour,
           count(distinct regexp_replace(coalesce(source_ip, ''), '[.][0-9]+$', '')) as networks
      from login_attempts
     where success and username <> %(synthetic_user)s
       and at >= %(since)s::timestamptz and at < %(until)s::timestamptz
     group by 1, 2
), shared as (
    select username, max(networks) as networks, min(hour) as first
      from hour where networks > %(networks)s::integer group by username
)
select 'looked at' as kind, (select count(distinct username) from hour)::text as key, '' as reason
union all
select 'violation', 'account ' || username,
       format('used from %%s networks within an hour, first at %%s; at most %%s', networks, to_char(first at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), %(networks)s::integer)
  from shared
 order by 1, 2, 3
