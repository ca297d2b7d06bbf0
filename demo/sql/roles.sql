-- Roles of the demo CLO system; run by a superuser. The password of each comes from the session's setting
-- demo.<role>_password. Safe to run again: passwords are then set anew.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['clo_app', 'clo_ops_reader', 'clo_backup', 'clo_ops_maintainer', 'clo_ops_retention',
                                 'clo_ops_accounts'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) THEN
            EXECUTE format('CREATE ROLE %I', wanted);
        END IF;
        EXECUTE format(
            'ALTER ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE PASSWORD %L',
            wanted, current_setting('demo.' || wanted || '_password')
        );
    END LOOP;
END
$$;

GRANT pg_monitor TO clo_ops_reader;
ALTER ROLE clo_ops_reader SET default_transaction_read_only = on;
ALTER ROLE clo_ops_reader CONNECTION LIMIT 30;
-- The security review reads who may connect how; PostgreSQL shows that to superusers alone unless it is granted.
GRANT SELECT ON pg_hba_file_rules TO clo_ops_reader;
GRANT EXECUTE ON FUNCTION pg_hba_file_rules() TO clo_ops_reader;
GRANT pg_read_all_data TO clo_backup;

-- PostgreSQL 15 lets nobody VACUUM or REINDEX a table but its owner and the owner's members.
GRANT clo_app, pg_monitor TO clo_ops_maintainer;
ALTER ROLE clo_ops_maintainer CONNECTION LIMIT 10;
GRANT pg_monitor TO clo_ops_retention;
ALTER ROLE clo_ops_retention CONNECTION LIMIT 10;
ALTER ROLE clo_ops_accounts CONNECTION LIMIT 2;
