-- purpose: a throw-away server reads its settings again
-- procedure: M3-05
-- columns: reloaded boolean
-- privilege: superuser of the throw-away server
-- access: writes
select pg_reload_conf() as reloaded
