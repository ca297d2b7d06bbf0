-- purpose: one row of the audit trail without what was done: its time and its two hashes
-- procedure: WM-03, WF-05
-- columns: id bigint, created_at timestamptz, prev_hash text, row_hash text
-- privilege: SELECT on audit_logs
-- access: read-only
select id, created_at, prev_hash, row_hash from audit_logs where id = %(id)s
