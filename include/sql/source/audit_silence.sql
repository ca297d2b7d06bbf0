-- purpose: business days in [since, until) without a single audit row
-- procedure: WF-05
-- columns: kind text, key text, reason text
-- privilege: select on audit_logs, holidays
-- access: read-only
with day as (
    select g::date as day
      from generate_series(date_trunc('day', (%(since)s::timestamptz at time zone 'UTC')),
                           date_trunc('day', (%(until)s::timestamptz at time zone 'UTC')) - interval '1 day', interval '1 day') as g
     where extract(isodow from g) < 6
       and not exists (select from holidays h where h.holiday_date = g::date and h.country_code = %(country)s)
)
select 'looked at' as kind, count(*)::text as key, '' as reason from day
union all
select 'violation', 'audit trail on ' || day, 'not one row'
  from day d
 where not exists (select from audit_logs l
                    where l.created_at >= d.day::timestamp at time zone 'UTC' and l.created_at < (d.day + 1)::timestamp at time zone 'UTC')
 order by 1, 2, 3
