-- purpose: the application's security events of [since, until) by kind: how many, and how many have no owner or no outcome
-- procedure: ED-01, WF-11
-- columns: event_type text, severity text, event_class text, times bigint, without_owner bigint, without_outcome bigint
-- privilege: select on security_events
-- access: read-only
select event_type, severity, coalesce(nullif(event_class, ''), '(no class)') as event_class, count(*) as times,
       count(*) filter (where coalesce(owner, '') = '') as without_owner,
       count(*) filter (where coalesce(outcome, '') = '') as without_outcome
  from security_events
 where at >= %(since)s::timestamptz and at < %(until)s::timestamptz
 group by 1, 2, 3
 order by array_position(array['critical', 'warning', 'info'], severity), times desc, 1, 3
