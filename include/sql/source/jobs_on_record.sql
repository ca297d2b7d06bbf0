-- purpose: calculations and reports completed in [since, until) whose asking or completion the audit trail does not have, and those of the trail
--          whose own record is gone
-- procedure: WF-02
-- columns: kind text, key text, reason text
-- privilege: select on calculation_jobs, report_jobs, audit_logs
-- access: read-only
with job (what, job_id, finished_at) as (
    select 'calculation', job_id::text, finished_at from calculation_jobs
     where status = 'completed' and finished_at >= %(since)s::timestamptz and finished_at < %(until)s::timestamptz
    union all
    select 'report', job_id::text, finished_at from report_jobs
     where status = 'completed' and finished_at >= %(since)s::timestamptz and finished_at < %(until)s::timestamptz
), trail as (
    select j.what, j.job_id, j.finished_at,
           coalesce(bool_or(l.action = j.what || '_requested'), false) as asked,
           coalesce(bool_or(l.action = j.what || '_completed'), false) as done
      from job j
      left join audit_logs l on l.object_type = j.what and l.object_id = j.job_id
       and l.action in (j.what || '_requested', j.what || '_completed')
     group by 1, 2, 3
)
select 'looked at' as kind, count(*)::text as key, '' as reason from job
union all
select 'violation', what || ' ' || job_id,
       format('completed %%s, the audit trail does not have %%s', to_char(finished_at, 'YYYY-MM-DD HH24:MI'),
              concat_ws(' and ', case when not asked then 'who asked for it' end, case when not done then 'its completion' end))
  from trail where not (asked and done)
union all
select 'violation', l.object_type || ' ' || l.object_id,
       format('audit row %%s of %%s says %%s, and there is no such record', l.id, to_char(l.created_at, 'YYYY-MM-DD HH24:MI'), replace(l.action, '_', ' '))
  from audit_logs l
 where l.object_type in ('calculation', 'report') and l.action in (l.object_type || '_requested', l.object_type || '_completed')
   and l.created_at >= %(since)s::timestamptz and l.created_at < %(until)s::timestamptz
   and not exists (select from calculation_jobs c where l.object_type = 'calculation' and c.job_id::text = l.object_id)
   and not exists (select from report_jobs r where l.object_type = 'report' and r.job_id::text = l.object_id)
 order by 1, 2, 3
