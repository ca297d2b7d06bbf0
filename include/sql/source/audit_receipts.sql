-- purpose: the receipts of rows that left the audit trail, as they stand in the trail itself
-- procedure: WM-03, WF-05
-- columns: audit_id bigint, created_at timestamptz, actor text, action text, detail jsonb
-- privilege: SELECT on audit_logs
-- access: read-only
select id as audit_id, created_at, actor, action, detail
  from audit_logs
 where object_type = 'audit_logs' and object_id = 'moved'
 order by id
