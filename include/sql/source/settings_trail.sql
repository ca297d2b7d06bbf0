-- purpose: configuration of the application against its trail, both ways: a value nobody changed on record, a change that is not in force, a change without an audit row
-- procedure: WF-06
-- columns: kind text, key text, reason text
-- privilege: select on app_settings, configuration_changes, audit_logs
-- access: read-only
with change as (
    select * from configuration_changes where at < %(until)s::timestamptz and setting not like 'postgresql.%%'
), latest as (
    select distinct on (setting) * from change order by setting, at desc, change_id desc
), fault (key, reason) as (
    select 'setting ' || s.setting, format('is %%s since %%s, by %%s; the trail has no such change', s.value, to_char(s.updated_at, 'YYYY-MM-DD HH24:MI'), s.updated_by)
      from app_settings s
     where s.updated_at >= %(since)s::timestamptz and s.updated_at < %(until)s::timestamptz
       and not exists (select from change c where c.setting = s.setting and c.new_value = s.value
                          and c.at between s.updated_at - interval '5 minutes' and s.updated_at + interval '5 minutes')
    union all
    select 'setting ' || l.setting, format('was set to %%s at %%s by the trail and is %%s', l.new_value, to_char(l.at, 'YYYY-MM-DD HH24:MI'), coalesce(s.value, 'not there'))
      from latest l left join app_settings s using (setting)
     where s.value is distinct from l.new_value
       -- What was changed on record after the time looked at is the next look's: the value is that of now.
       and not exists (select from configuration_changes c where c.setting = l.setting and c.at >= %(until)s::timestamptz)
    union all
    select format('configuration change %%s of %%s', change_id, setting), format('by %%s at %%s: no audit row', changed_by, to_char(at, 'YYYY-MM-DD HH24:MI'))
      from change c
     where at >= %(since)s::timestamptz
       and not exists (select from audit_logs l where l.object_type = 'setting' and l.object_id = c.setting
                          and l.created_at between c.at - interval '5 minutes' and c.at + interval '5 minutes')
    union all
    select 'audit row ' || l.id, format('%%s of %%s by %%s: no configuration change on record', l.action, l.object_id, l.actor)
      from audit_logs l
     where l.object_type = 'setting' and l.created_at >= %(since)s::timestamptz and l.created_at < %(until)s::timestamptz
       and not exists (select from configuration_changes c where c.setting = l.object_id
                          and l.created_at between c.at - interval '5 minutes' and c.at + interval '5 minutes')
)
select 'looked at' as kind, (select count(*) from app_settings)::text as key, '' as reason
union all
select 'violation', key, reason from fault
 order by 1, 2, 3
