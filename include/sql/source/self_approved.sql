-- purpose: decisions on calculations in [since, until) that were taken by whoever asked for the calculation
-- procedure: WF-01
-- columns: kind text, key text, reason text
-- privilege: select on calculation_approvals, calculation_jobs
-- access: read-only
with decided as (
    select a.approval_id, a.decided_by, a.decided_at, j.job_id, j.deal_id, j.requested_by
      from calculation_approvals a join calculation_jobs j using (job_id)
     where a.decided_at >= %(since)s::timestamptz and a.decided_at < %(until)s::timestamptz
)
select 'looked at' as kind, count(*)::text as key, '' as reason from decided
union all
select 'violation', 'calculation ' || job_id,
       format('asked for and decided by %%s, deal %%s, %%s', decided_by, deal_id, to_char(decided_at, 'YYYY-MM-DD HH24:MI'))
  from decided where lower(decided_by) = lower(requested_by)
 order by 1, 2, 3
