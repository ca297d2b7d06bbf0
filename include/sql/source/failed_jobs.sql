-- purpose: why calculations and reports failed in [since, until): their errors, the most frequent first
-- procedure: ED-02, ED-07
-- columns: what text, error text, times bigint, deals bigint, last_at timestamptz
-- privilege: select on calculation_jobs, report_jobs
-- access: read-only
with failed as (
    select 'calculation' as what, deal_id, error, finished_at from calculation_jobs
     where status = 'failed' and requested_by <> %(synthetic_user)s
       and finished_at >= %(since)s::timestamptz and finished_at < %(until)s::timestamptz
    union all
    select 'report', deal_id, error, finished_at from report_jobs
     where status = 'failed' and requested_by <> %(synthetic_user)s
       and finished_at >= %(since)s::timestamptz and finished_at < %(until)s::timestamptz
)
select what, left(coalesce(nullif(error, ''), '(no error on record)'), 200) as error, count(*) as times,
       count(distinct deal_id) as deals, max(finished_at) as last_at
  from failed
 group by 1, 2
 order by times desc, 1, 2
 limit 20
