-- purpose: the portfolios most worked on in [since, until): calculations and reports that ended, and those that failed
-- procedure: ED-02
-- columns: portfolio text, calculations bigint, reports bigint, failed bigint, users bigint
-- privilege: select on calculation_jobs, report_jobs
-- access: read-only
with job as (
    select 'calculation' as what, deal_id, status, requested_by from calculation_jobs
     where finished_at >= %(since)s::timestamptz and finished_at < %(until)s::timestamptz
    union all
    select 'report', deal_id, status, requested_by from report_jobs
     where finished_at >= %(since)s::timestamptz and finished_at < %(until)s::timestamptz
)
select coalesce(deal_id, '(all portfolios)') as portfolio,
       count(*) filter (where what = 'calculation') as calculations,
       count(*) filter (where what = 'report') as reports,
       count(*) filter (where status = 'failed') as failed,
       count(distinct requested_by) as users
  from job
 where requested_by <> %(synthetic_user)s
 group by 1
 order by count(*) desc, 1
 limit 10
