-- purpose: calculations by kind and reports by format that ended in [since, until): how many, how long, how many over the manual's time
-- procedure: ED-02
-- columns: what text, kind text, completed bigint, failed bigint, running bigint, mean_s float, p95_s float, max_s float, over bigint
-- privilege: select on calculation_jobs, report_jobs
-- access: read-only
with job as (
    select 'calculation' as what, kind, status, requested_by, started_at, finished_at, %(calculation_s)s::float as most
      from calculation_jobs
    union all
    select 'report', report_format, status, requested_by, started_at, finished_at, %(report_s)s::float from report_jobs
), counted as (
    select what, kind, most,
           case when finished_at < %(until)s::timestamptz then status else 'running' end as status,
           case when status = 'completed' and finished_at < %(until)s::timestamptz
                then extract(epoch from finished_at - started_at)::float end as seconds
      from job
     where requested_by <> %(synthetic_user)s
       and coalesce(started_at, finished_at) < %(until)s::timestamptz
       and (finished_at >= %(since)s::timestamptz or finished_at is null)
)
select what, kind,
       count(*) filter (where status = 'completed') as completed,
       count(*) filter (where status = 'failed') as failed,
       count(*) filter (where status = 'running') as running,
       avg(seconds)::float as mean_s,
       percentile_cont(0.95) within group (order by seconds) as p95_s,
       max(seconds) as max_s,
       count(*) filter (where seconds > most) as over
  from counted
 group by what, kind
 order by what, kind
