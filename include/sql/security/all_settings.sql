-- purpose: every setting that is not as PostgreSQL ships it, and the settings of roles and databases
-- procedure: WM-09, WF-06
-- columns: key text, value text
-- privilege: pg_read_all_settings (pg_monitor) for settings only superusers see
-- access: read-only
select 'setting ' || name as key, setting as value
  from pg_settings
 where source not in ('default', 'client', 'session', 'override', 'environment variable', 'database', 'user', 'database user')
   and name <> all(array['application_name', 'port', 'data_directory', 'config_file', 'hba_file', 'ident_file'])
union all
select format('setting of %%s', concat_ws(' in ', 'role ' || r.rolname, 'database ' || d.datname)), array_to_string(s.setconfig, ', ')
  from pg_db_role_setting s left join pg_roles r on r.oid = s.setrole left join pg_database d on d.oid = s.setdatabase
 order by 1
