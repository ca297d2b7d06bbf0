-- purpose: changes of configuration and permissions in [since, until) without the approval of somebody else
-- procedure: WF-01
-- columns: kind text, key text, reason text
-- privilege: select on configuration_changes, permission_changes
-- access: read-only
with change (key, changed_by, approved_by, concerned, at) as (
    select format('configuration change %%s of %%s', change_id, setting), changed_by, coalesce(approved_by, ''), '', at
      from configuration_changes where at >= %(since)s::timestamptz and at < %(until)s::timestamptz
    union all
    select format('permission change %%s of %%s', change_id, username), changed_by, coalesce(approved_by, ''), username, at
      from permission_changes where at >= %(since)s::timestamptz and at < %(until)s::timestamptz
)
select 'looked at' as kind, count(*)::text as key, '' as reason from change
union all
select 'violation', key, format('by %%s at %%s: %%s', changed_by, to_char(at, 'YYYY-MM-DD HH24:MI'),
                                case approved_by when '' then 'nobody approved it' else 'approved by ' || approved_by || ', who is concerned' end)
  from change where lower(approved_by) in ('', lower(changed_by), lower(concerned))
 order by 1, 2, 3
