-- purpose: reads and exports of personal data in [since, until) by accounts that hold no role allowed to
-- procedure: WF-03
-- columns: kind text, key text, reason text
-- privilege: select on data_access, app_users (user_id, username), app_user_roles, app_roles
-- access: read-only
with access as (
    select d.username, d.kind, d.object_type, count(*) as times, sum(d.row_count) as rows_
      from data_access d
     where d.data_class = 'personal' and d.at >= %(since)s::timestamptz and d.at < %(until)s::timestamptz
     group by 1, 2, 3
)
select 'looked at' as kind, coalesce(sum(times), 0)::text as key, '' as reason from access
union all
select 'violation', 'account ' || a.username, format('%%s of %%s: %%s times, %%s rows', a.kind, a.object_type, a.times, a.rows_)
  from access a
 where not exists (select from app_users u join app_user_roles g using (user_id) join app_roles r using (role_id)
                    where u.username = a.username and r.role_name = any(%(roles)s::text[]))
 order by 1, 2, 3
