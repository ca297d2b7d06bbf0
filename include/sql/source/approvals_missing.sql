-- purpose: calculations of the kinds that need approval, finished in [since, until) less the time allowed, that nobody decided on in that time
-- procedure: WF-01
-- columns: kind text, key text, reason text
-- privilege: select on calculation_approvals, calculation_jobs
-- access: read-only
with owed as (
    select job_id, deal_id, requested_by, finished_at
      from calculation_jobs
     where kind = any(%(kinds)s::text[]) and status = 'completed'
       and finished_at >= %(since)s::timestamptz - %(within)s::interval
       and finished_at < %(until)s::timestamptz - %(within)s::interval
)
select 'looked at' as kind, count(*)::text as key, '' as reason from owed
union all
select 'violation', 'calculation ' || job_id,
       format('deal %%s, asked for by %%s, finished %%s, nobody decided within %%s', deal_id, requested_by,
              to_char(finished_at, 'YYYY-MM-DD HH24:MI'), %(within)s::text)
  from owed o
 where not exists (select from calculation_approvals a
                    where a.job_id = o.job_id and a.decided_at <= o.finished_at + %(within)s::interval)
 order by 1, 2, 3
