-- purpose: calculations that ended in [since, until) by the size of their portfolio today (active positions), and of all (size null): how many, how long, how many longer than most_s
-- procedure: M2-05, WF-10, RP-04
-- columns: size int, deals bigint, completed bigint, failed bigint, mean_s float, p50_s float, p95_s float, max_s float, late bigint, waited_s float
-- privilege: select on calculation_jobs, deal_assets
-- access: read-only
with portfolio as (
    select deal_id, count(*) as positions
      from deal_assets
     where position_status = 'ACTIVE' and par_amount > 0
     group by deal_id
), job as (
    select j.deal_id, j.status, extract(epoch from j.finished_at - j.started_at)::float as seconds,
           extract(epoch from j.started_at - j.queued_at)::float as waited,
           width_bucket(coalesce(p.positions, 0)::int, %(sizes)s::int[]) as size
      from calculation_jobs j
      left join portfolio p using (deal_id)
     where j.requested_by <> %(synthetic_user)s
       and j.status in ('completed', 'failed')
       and j.finished_at >= %(since)s::timestamptz
       and j.finished_at < %(until)s::timestamptz
)
select size,
       count(distinct deal_id) as deals,
       count(*) filter (where status = 'completed') as completed,
       count(*) filter (where status = 'failed') as failed,
       avg(seconds) filter (where status = 'completed') as mean_s,
       percentile_cont(0.5) within group (order by seconds) filter (where status = 'completed') as p50_s,
       percentile_cont(0.95) within group (order by seconds) filter (where status = 'completed') as p95_s,
       max(seconds) filter (where status = 'completed') as max_s,
       count(*) filter (where status = 'completed' and seconds > %(most_s)s::float) as late,
       avg(waited) filter (where status = 'completed') as waited_s
  from job
 group by grouping sets ((size), ())
 order by size nulls first
