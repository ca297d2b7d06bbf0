-- purpose: which database answers, as whom, and in which snapshot: the identity of a piece of evidence
-- procedure: WM-08, WF-01, WF-05
-- columns: system_identifier text, database text, server_version text, role text, in_recovery boolean, snapshot text, at timestamptz
-- privilege: none
-- access: read-only
select (select system_identifier::text from pg_control_system()) as system_identifier,
       current_database()::text as database,
       current_setting('server_version') as server_version,
       current_user::text as role,
       pg_is_in_recovery() as in_recovery,
       pg_current_snapshot()::text as snapshot,
       transaction_timestamp() as at
