-- purpose: accounts that were used from more networks within an hour than one person works in: several people share them
-- procedure: M1-03
-- columns: kind text, key text, reason text
-- privilege: select on login_attempts
-- access: read-only
with login as (
    select distinct username, date_trunc('minute', at, 'UTC') as at, regexp_replace(coalesce(source_ip, ''), '[.][0-9]+$', '') as network
      from login_attempts
     where success and username <> %(synthetic_user)s
       and at >= %(since)s::timestamptz and at < %(until)s::timestamptz
), hour as (
    -- The hour that ends with each login: one that begins with the clock's would cut a use in two.
    select username, at, array_agg(network) over (partition by username order by at range between interval '59 minutes' preceding and current row) as seen
      from login
), counted as (
    select username, at, (select count(distinct n) from unnest(seen) as n) as networks from hour
), shared as (
    select username, max(networks) as networks, min(at) as first
      from counted where networks > %(networks)s::integer group by username
)
select 'looked at' as kind, (select count(distinct username) from login)::text as key, '' as reason
union all
select 'violation', 'account ' || username,
       format('used from %%s networks within an hour, first at %%s; at most %%s', networks, to_char(first at time zone 'UTC', 'YYYY-MM-DD HH24:MI'), %(networks)s::integer)
  from shared
 order by 1, 2, 3
