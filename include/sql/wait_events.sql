-- purpose: what the active sessions of clients wait for at this moment, our own left out; CPU where they wait for nothing
-- procedure: AL-07, M2-02
-- columns: event text, sessions bigint
-- privilege: pg_monitor, or the events of other roles' sessions come back empty
-- access: read-only
select coalesce(wait_event_type || ': ' || wait_event, 'CPU') as event, count(*) as sessions
  from pg_stat_activity
 where state = 'active'
   and backend_type in ('client backend', 'parallel worker')
   and pid <> pg_backend_pid()
 group by 1
 order by 1
