-- purpose: the server's version as it runs, and settings that wait for a restart
-- procedure: M4-02
-- columns: version text, started timestamptz, waiting text[]
-- privilege: pg_read_all_settings, for settings only superusers see
-- access: read-only
select current_setting('server_version') as version,
       pg_postmaster_start_time() as started,
       coalesce(array_agg(name order by name) filter (where pending_restart), '{}') as waiting
  from pg_settings
