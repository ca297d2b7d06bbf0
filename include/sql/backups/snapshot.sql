-- purpose: exports the snapshot that pg_dump and the description of its contents share, with what identifies its moment
-- procedure: ED-03, MW-04
-- columns: snapshot text, snapshot_at timestamptz, server_version text, server_major integer, system_identifier text, wal_lsn text, timeline integer, database_bytes bigint
-- privilege: none
-- access: read-only
select pg_export_snapshot() as snapshot,
       statement_timestamp() as snapshot_at,
       current_setting('server_version') as server_version,
       current_setting('server_version_num')::integer / 10000 as server_major,
       (select system_identifier::text from pg_control_system()) as system_identifier,
       (case when pg_is_in_recovery() then pg_last_wal_replay_lsn() else pg_current_wal_lsn() end)::text as wal_lsn,
       (select timeline_id from pg_control_checkpoint()) as timeline,
       pg_database_size(current_database()) as database_bytes
