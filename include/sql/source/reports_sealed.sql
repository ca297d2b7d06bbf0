-- purpose: reports finished in [since, until) with a file whose hash and size nobody wrote down
-- procedure: WF-02
-- columns: kind text, key text, reason text
-- privilege: select on report_jobs
-- access: read-only
with written as (
    select job_id, file_path, file_sha256, size_bytes from report_jobs
     where status = 'completed' and file_path is not null
       and finished_at >= %(since)s::timestamptz and finished_at < %(until)s::timestamptz
)
select 'looked at' as kind, count(*)::text as key, '' as reason from written
union all
select 'violation', 'report ' || job_id, 'its file has no hash or no size on record'
  from written where coalesce(file_sha256, '') !~ '^[0-9a-f]{64}$' or size_bytes is null
 order by 1, 2, 3
