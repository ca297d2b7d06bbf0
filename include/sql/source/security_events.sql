-- purpose: security events that have no owner or class, or no outcome after the time their severity allows; those open in time by name
-- procedure: WF-08
-- columns: kind text, key text, reason text
-- privilege: select on security_events
-- access: read-only
with event as (
    select * from security_events
     where at < %(until)s::timestamptz and (at >= %(since)s::timestamptz or coalesce(outcome, '') = '')
), fault (key, reason) as (
    select event_id, format('%%s, %%s, %%s: no %%s', severity, event_type, to_char(at, 'YYYY-MM-DD HH24:MI'),
                            concat_ws(' and no ', case when coalesce(owner, '') = '' then 'owner' end,
                                      case when coalesce(event_class, '') = '' then 'class' end))
      from event where coalesce(owner, '') = '' or coalesce(event_class, '') = ''
    union all
    select event_id, format('%%s, %%s, %%s: owned by %%s, no outcome within %%s', severity, event_type, to_char(at, 'YYYY-MM-DD HH24:MI'),
                            coalesce(nullif(owner, ''), 'nobody'), %(outcome_within)s::jsonb ->> severity)
      from event
     where coalesce(outcome, '') = '' and at < %(until)s::timestamptz - (%(outcome_within)s::jsonb ->> severity)::interval
)
select 'looked at' as kind, count(*)::text as key, '' as reason from event
union all
select 'violation', 'security event ' || key, reason from fault
union all
select 'open', 'security event ' || event_id, format('%%s, %%s, %%s: %%s, owned by %%s', severity, event_type, to_char(at, 'YYYY-MM-DD HH24:MI'), event_class, owner)
  from event where coalesce(outcome, '') = '' and event_id not in (select key from fault)
 order by 1, 2, 3
