-- purpose: privileged actions in [since, until) whose actor is no account of the application and no program named for it
-- procedure: WF-05
-- columns: kind text, key text, reason text
-- privilege: select on audit_logs, app_users (username)
-- access: read-only
with done as (
    select id, actor, action, created_at from audit_logs
     where action = any(%(privileged)s::text[])
       and created_at >= %(since)s::timestamptz and created_at < %(until)s::timestamptz
)
select 'looked at' as kind, count(*)::text as key, '' as reason from done
union all
select 'violation', 'audit row ' || id,
       format('%%s at %%s by %%s, whom nobody knows', action, to_char(created_at, 'YYYY-MM-DD HH24:MI'), coalesce(nullif(actor, ''), 'nobody'))
  from done d
 where actor <> all(%(programs)s::text[]) and not exists (select from app_users u where u.username = d.actor)
 order by 1, 2, 3
