-- purpose: the server's own settings as they are now, and the changes of them that the trail of configuration speaks of, since the last look
-- procedure: WF-06
-- columns: kind text, key text, value text
-- privilege: select on configuration_changes; pg_read_all_settings (pg_monitor) for settings only superusers see
-- access: read-only
select 'state' as kind, 'postgresql.' || name as key, setting as value
  from pg_settings
 where source in ('configuration file', 'command line', 'global')
   and name <> all(array['application_name', 'port', 'data_directory', 'config_file', 'hba_file', 'ident_file'])
union all
select 'noted', setting, concat_ws(' ', coalesce(new_value, ''), 'by', changed_by, 'approved by', coalesce(approved_by, 'nobody'))
  from configuration_changes
 where setting like 'postgresql.%%' and at >= %(since)s::timestamptz and at <= now()
 order by 1, 2, 3
