-- purpose: the first row behind another that is not older than a moment: where a period of the archive ends
-- procedure: WM-03
-- columns: id bigint
-- privilege: SELECT on audit_logs
-- access: read-only
select id from audit_logs where id > %(after)s and created_at >= %(moment)s order by id limit 1
