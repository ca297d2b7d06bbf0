-- purpose: finished days in [since, until) whose audit rows no anchor fixes, or whose anchor is not that of the rows there are;
--          the application fixes a day some minutes after midnight, so a day counts as finished an hour later
-- procedure: WF-02
-- columns: kind text, key text, reason text
-- privilege: select on audit_logs, audit_anchor
-- access: read-only
with days as (
    select date_trunc('day', %(since)s::timestamptz - interval '1 hour', 'UTC') as since,
           date_trunc('day', %(until)s::timestamptz - interval '1 hour', 'UTC') as until
), day as (
    select (created_at at time zone 'UTC')::date as day, count(*) as row_count, max(id) as last_id
      from audit_logs
     where created_at >= (select since from days) and created_at < (select until from days)
     group by 1
), anchor as (
    select anchor_date as day, row_count, last_id, chain_hash from audit_anchor
     where anchor_date >= (select since at time zone 'UTC' from days)::date
       and anchor_date < (select until at time zone 'UTC' from days)::date
), fault (key, reason) as (
    select 'audit rows of ' || coalesce(d.day, n.day),
           case when n.day is null then format('%%s rows, no anchor', d.row_count)
                when d.day is null then format('%%s rows anchored, none there', n.row_count)
                when d.last_id <> n.last_id or d.row_count <> n.row_count
                then format('%%s rows to %%s anchored, %%s to %%s there', n.row_count, n.last_id, d.row_count, d.last_id)
                when l.row_hash is distinct from n.chain_hash then 'the last row is not the one that was anchored' end
      from day d full join anchor n using (day) left join audit_logs l on l.id = n.last_id
)
select 'looked at' as kind, (select count(*) from day)::text as key, '' as reason
union all
select 'violation', key, reason from fault where reason is not null
 order by 1, 2, 3
