-- purpose: who may connect from where and how, line by line of pg_hba.conf as the file stands
-- procedure: WM-08
-- columns: key text, value text
-- privilege: select on pg_hba_file_rules and execute on pg_hba_file_rules(), granted to the probe's role by a superuser
-- access: read-only
select format('pg_hba line %%s %%s %%s from %%s', type, array_to_string(database, ','), array_to_string(user_name, ','),
              coalesce(address || coalesce('/' || netmask, ''), 'this machine')) as key,
       string_agg(coalesce('not read: ' || error, auth_method || coalesce(' ' || array_to_string(options, ' '), '')), ', then '
                  order by line_number) as value
  from pg_hba_file_rules
 group by 1
 order by 1
