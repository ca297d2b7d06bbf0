-- purpose: report jobs that ended in [since, until), how long the completed ones took, and how many ran at its end
-- procedure: DM-07, BH-04
-- columns: completed bigint, failed bigint, running bigint, mean_s float, p95_s float, max_s float
-- privilege: select on report_jobs
-- access: read-only
with job as (
    select status, extract(epoch from finished_at - started_at)::float as seconds, started_at, finished_at
      from report_jobs
     where requested_by <> %(synthetic_user)s
       and coalesce(started_at, finished_at) < %(until)s
       and (finished_at >= %(since)s or finished_at is null)
)
select count(*) filter (where status = 'completed' and finished_at < %(until)s) as completed,
       count(*) filter (where status = 'failed' and finished_at < %(until)s) as failed,
       count(*) filter (where finished_at is null or finished_at >= %(until)s) as running,
       avg(seconds) filter (where status = 'completed' and finished_at < %(until)s) as mean_s,
       percentile_cont(0.95) within group (order by seconds)
           filter (where status = 'completed' and finished_at < %(until)s) as p95_s,
       max(seconds) filter (where status = 'completed' and finished_at < %(until)s) as max_s
  from job
