-- Who may what in the database; run by clo_app, the owner, after schema.sql and audit.sql.

GRANT USAGE ON SCHEMA public TO clo_ops_reader, clo_backup;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO clo_ops_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO clo_ops_reader;
-- How far a sequence has counted.
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO clo_ops_reader;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON SEQUENCES TO clo_ops_reader;

-- The reader has no business with anybody's password hash or TOTP secret.
REVOKE SELECT ON app_users FROM clo_ops_reader;
GRANT SELECT (user_id, username, full_name, email, mfa_enabled, totp_last_step, last_login_at, is_service, disabled, locked_until,
              created_at, updated_at) ON app_users TO clo_ops_reader;

-- Audit rows are written and read, not changed, not even by the application that owns them.
REVOKE UPDATE, DELETE, TRUNCATE ON audit_logs, audit_anchor FROM clo_app;

-- What moves old rows to the archive: it reads and deletes the log tables, changes none of their rows.
GRANT USAGE ON SCHEMA public TO clo_ops_retention;
GRANT SELECT, DELETE ON audit_logs TO clo_ops_retention;
GRANT SELECT ON audit_anchor TO clo_ops_retention;
REVOKE EXECUTE ON FUNCTION audit_receipt(bigint, bigint, bigint, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION audit_receipt(bigint, bigint, bigint, text, text, text, text) TO clo_ops_retention;

-- What the backup job plants before a dump.
GRANT INSERT ON backup_canary TO clo_backup;

-- LM-01: rows of the log tables that are older than their class is kept. Changes of permissions and settings are kept as
-- long as audit rows, and go on two approvals only.
GRANT SELECT, DELETE ON login_attempts, app_sessions, security_events TO clo_ops_retention;
GRANT SELECT ON permission_changes, configuration_changes TO clo_ops_retention;

-- M1-02: what disables an account somebody approved. It reads nothing and writes nothing by itself: one function, which
-- refuses what must not be disabled and leaves an audit row.
GRANT USAGE ON SCHEMA public TO clo_ops_accounts;
REVOKE EXECUTE ON FUNCTION account_disable(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION account_disable(text, text, text) TO clo_ops_accounts;
