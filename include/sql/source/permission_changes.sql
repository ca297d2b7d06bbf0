-- purpose: permission changes of the application in [since, until) that nobody approved, or only somebody concerned, or that the audit trail does not know
-- procedure: WM-08
-- columns: kind text, key text, reason text
-- privilege: select on permission_changes, audit_logs
-- access: read-only
with changed as (
    select * from permission_changes where at >= %(since)s::timestamptz and at < %(until)s::timestamptz
), fault (key, reason) as (
    select change_id, format('%%s %%s %%s by %%s at %%s: nobody approved it', role_name, action, username, changed_by,
                             to_char(at, 'YYYY-MM-DD HH24:MI'))
      from changed where coalesce(approved_by, '') = ''
    union all
    select change_id, format('%%s %%s %%s by %%s at %%s: approved by %%s, who is concerned', role_name, action, username,
                             changed_by, to_char(at, 'YYYY-MM-DD HH24:MI'), approved_by)
      from changed where lower(approved_by) in (lower(changed_by), lower(username))
    union all
    select change_id, format('%%s %%s %%s by %%s at %%s: no audit row', role_name, action, username, changed_by,
                             to_char(at, 'YYYY-MM-DD HH24:MI'))
      from changed c
     where not exists (select from audit_logs l
                        where l.object_type = 'user' and l.object_id = c.username and l.action = 'role_' || c.action
                          and coalesce(l.detail ->> 'role', c.role_name) = c.role_name
                          and l.created_at between c.at - interval '5 minutes' and c.at + interval '5 minutes')
)
select 'looked at' as kind, count(*)::text as key, '' as reason from changed
union all
select 'violation', 'permission change ' || key, reason from fault
 order by 1, 2, 3
