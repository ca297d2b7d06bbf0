-- purpose: changes of permissions and of configuration in [since, until), and how many of them nobody approved
-- procedure: ED-01, WF-11
-- columns: what text, times bigint, not_approved bigint
-- privilege: select on permission_changes, configuration_changes
-- access: read-only
select 'role ' || action as what, count(*) as times, count(*) filter (where coalesce(approved_by, '') = '') as not_approved
  from permission_changes
 where at >= %(since)s::timestamptz and at < %(until)s::timestamptz
 group by action
union all
select 'setting changed', count(*), count(*) filter (where coalesce(approved_by, '') = '')
  from configuration_changes
 where at >= %(since)s::timestamptz and at < %(until)s::timestamptz
having count(*) > 0
 order by 1
