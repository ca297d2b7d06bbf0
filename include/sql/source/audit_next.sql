-- purpose: the next id of a range that stands in the audit trail, null where there is none
-- procedure: WM-03, WF-05
-- columns: id bigint
-- privilege: SELECT on audit_logs
-- access: read-only
select min(id) as id from audit_logs where id > %(after)s and id <= %(last)s
