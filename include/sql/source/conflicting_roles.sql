-- purpose: accounts that hold roles of the application nobody may hold together
-- procedure: WF-01
-- columns: kind text, key text, reason text
-- privilege: select on app_users (user_id, username, disabled), app_user_roles, app_roles
-- access: read-only
with holder as (
    select u.username, array_agg(r.role_name) as roles
      from app_users u join app_user_roles g using (user_id) join app_roles r using (role_id)
     where not u.disabled
     group by u.username
), conflict as (
    select array(select jsonb_array_elements_text(pair)) as roles from jsonb_array_elements(%(conflicts)s::jsonb -> 'pairs') as p (pair)
)
select 'looked at' as kind, count(*)::text as key, '' as reason from holder
union all
select 'violation', 'account ' || h.username, 'holds ' || array_to_string(c.roles, ' and ')
  from holder h join conflict c on h.roles @> c.roles
 order by 1, 2, 3
