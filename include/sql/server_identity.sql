-- purpose: which server answers: version, start, role in replication, identity of its data directory
-- procedure: DM-01, DM-05
-- columns: server_version text, version_num integer, started_at timestamptz, in_recovery boolean, system_identifier text, sees_all_sessions boolean
-- privilege: pg_monitor for sees_all_sessions; nothing else needs one
-- access: read-only
select current_setting('server_version') as server_version,
       current_setting('server_version_num')::integer as version_num,
       pg_postmaster_start_time() as started_at,
       pg_is_in_recovery() as in_recovery,
       (select system_identifier::text from pg_control_system()) as system_identifier,
       pg_has_role(current_user, 'pg_read_all_stats', 'USAGE') as sees_all_sessions
