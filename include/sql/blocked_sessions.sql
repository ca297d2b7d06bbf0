-- purpose: sessions that wait for a lock, for how long, and the sessions they wait for, longest first
-- procedure: DM-05
-- columns: pid integer, user text, application text, database text, blocked_seconds double precision, blocked_by integer[], query text
-- privilege: pg_monitor
-- access: read-only
-- pg_blocking_pids takes the lock manager's locks for a moment, so only sessions that wait for a lock are asked about.
with waiting as (
    select pid, usename, application_name, datname, query,
           coalesce((select min(l.waitstart) from pg_locks l where l.pid = a.pid and not l.granted), query_start)
               as since,
           pg_blocking_pids(pid) as blocked_by
      from pg_stat_activity a
     where backend_type = 'client backend'
       and wait_event_type = 'Lock'
       and pid <> pg_backend_pid()
)
select pid,
       coalesce(usename::text, '') as "user",
       coalesce(application_name, '') as application,
       coalesce(datname::text, '') as database,
       extract(epoch from clock_timestamp() - since)::double precision as blocked_seconds,
       blocked_by,
       left(query, 200) as query
  from waiting
 where cardinality(blocked_by) > 0
 order by since
 limit 50
