-- purpose: ends whatever still copies or streams from a throw-away primary
-- procedure: M3-04
-- columns: ended boolean
-- privilege: superuser of the throw-away server
-- access: writes
select pg_terminate_backend(pid) as ended from pg_stat_activity where backend_type = 'walsender'
