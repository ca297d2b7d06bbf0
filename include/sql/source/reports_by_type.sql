-- purpose: reports that ended in [since, until) by type and format, and of all (type and format null): how many, how long, how many longer than most_s
-- procedure: M2-06, WF-10, RP-04
-- columns: type text, format text, completed bigint, failed bigint, mean_s float, p50_s float, p95_s float, max_s float, late bigint, waited_s float
-- privilege: select on report_jobs
-- access: read-only
with job as (
    select report_type, report_format, status, extract(epoch from finished_at - started_at)::float as seconds,
           extract(epoch from started_at - queued_at)::float as waited
      from report_jobs
     where requested_by <> %(synthetic_user)s
       and status in ('completed', 'failed')
       and finished_at >= %(since)s::timestamptz
       and finished_at < %(until)s::timestamptz
)
select report_type as type, report_format as format,
       count(*) filter (where status = 'completed') as completed,
       count(*) filter (where status = 'failed') as failed,
       avg(seconds) filter (where status = 'completed') as mean_s,
       percentile_cont(0.5) within group (order by seconds) filter (where status = 'completed') as p50_s,
       percentile_cont(0.95) within group (order by seconds) filter (where status = 'completed') as p95_s,
       max(seconds) filter (where status = 'completed') as max_s,
       count(*) filter (where status = 'completed' and seconds > %(most_s)s::float) as late,
       avg(waited) filter (where status = 'completed') as waited_s
  from job
 group by grouping sets ((report_type, report_format), ())
 order by report_type nulls first, report_format
