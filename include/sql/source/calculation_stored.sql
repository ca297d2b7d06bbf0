-- purpose: how one calculation is on record, and what its result says
-- procedure: M3-06
-- columns: status text, error text, result jsonb
-- privilege: select on calculation_jobs
-- access: read-only
select status, error, result from calculation_jobs where job_id = %(job_id)s::uuid
