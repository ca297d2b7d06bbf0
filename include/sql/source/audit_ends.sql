-- purpose: which database this is, its clock, and the first and the last row of its audit trail
-- procedure: WM-03, WF-05
-- columns: system_identifier text, database text, server_version text, at timestamptz, first_id bigint, first_at timestamptz, first_prev_hash text, last_id bigint, last_hash text
-- privilege: SELECT on audit_logs
-- access: read-only
select (select system_identifier::text from pg_control_system()) as system_identifier,
       current_database()::text as database,
       current_setting('server_version') as server_version,
       clock_timestamp() as at,
       head.id as first_id,
       head.created_at as first_at,
       head.prev_hash as first_prev_hash,
       tail.id as last_id,
       tail.row_hash as last_hash
  from (select 1) as one
  left join (select id, created_at, prev_hash from audit_logs order by id limit 1) as head on true
  left join (select id, row_hash from audit_logs order by id desc limit 1) as tail on true
