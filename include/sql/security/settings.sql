-- purpose: the settings named, as the server runs with them now and as its files would have it
-- procedure: WM-09, WF-04
-- columns: name text, setting text, unit text, source text, pending_restart boolean
-- privilege: pg_read_all_settings (pg_monitor) for settings only superusers see
-- access: read-only
select name, setting, unit, source, pending_restart
  from pg_settings
 where name = any(%(names)s::text[])
 order by name
