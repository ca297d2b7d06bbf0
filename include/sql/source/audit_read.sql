-- purpose: the rows of a range of the audit trail in their order, as COPY text
-- procedure: WM-03, WF-05
-- columns: id bigint, created_at timestamptz, actor text, action text, object_type text, object_id text, detail jsonb, prev_hash text, row_hash text
-- privilege: SELECT on audit_logs
-- access: read-only
copy (
    select id, created_at, actor, action, object_type, object_id, detail, prev_hash, row_hash
      from audit_logs
     where id > %(after)s and id <= %(last)s
     order by id
) to stdout
