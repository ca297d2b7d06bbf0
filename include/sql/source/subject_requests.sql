-- purpose: requests of persons about their own data that are past their deadline, were answered after it in [since, until), or have no owner; those open in time with their deadline
-- procedure: WF-03
-- columns: kind text, key text, reason text
-- privilege: select on subject_requests
-- access: read-only
with request as (
    select * from subject_requests where completed_at is null or completed_at >= %(since)s::timestamptz
), fault (key, reason) as (
    select request_id, format('%%s, received %%s, was due %%s and is open', kind, to_char(received_at, 'YYYY-MM-DD'), to_char(due_at, 'YYYY-MM-DD'))
      from request where completed_at is null and due_at < %(until)s::timestamptz
    union all
    select request_id, format('%%s, was due %%s, answered %%s', kind, to_char(due_at, 'YYYY-MM-DD'), to_char(completed_at, 'YYYY-MM-DD'))
      from request where completed_at > due_at
    union all
    select request_id, format('%%s, received %%s, nobody looks after it', kind, to_char(received_at, 'YYYY-MM-DD'))
      from request where completed_at is null and coalesce(handled_by, '') = ''
    union all
    select request_id, format('%%s, was to be due within %%s of %%s, its deadline is later', kind, %(answer_within)s::text, to_char(received_at, 'YYYY-MM-DD'))
      from request where due_at > received_at + %(answer_within)s::interval
)
select 'looked at' as kind, count(*)::text as key, '' as reason from request
union all
select 'violation', 'request ' || key, reason from fault
union all
select 'open', 'request ' || request_id, format('%%s, received %%s, due %%s, looked after by %%s', kind, to_char(received_at, 'YYYY-MM-DD'), to_char(due_at, 'YYYY-MM-DD'), handled_by)
  from request where completed_at is null and request_id not in (select key from fault)
 order by 1, 2, 3
