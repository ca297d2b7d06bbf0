-- purpose: sessions that wait for a lock of one of ours, longest first
-- procedure: WM-01, WM-02
-- columns: pid integer, who text, milliseconds double precision, query text
-- privilege: pg_monitor
-- access: read-only
-- Asked many times a second: the lock manager is troubled only where somebody waits for a lock such as ours. We hold no
-- advisory lock there, and who waits for the end of our transaction (another rebuild does) is patient by its nature.
with waiting as materialized (
    select pid, usename, application_name, query
      from pg_stat_activity
     where wait_event_type = 'Lock' and wait_event in ('relation', 'extend', 'transactionid', 'object')
)
select pid, format('pid %%s (%%s, %%s)', pid, coalesce(usename, '?'), application_name) as who,
       coalesce((select extract(epoch from clock_timestamp() - min(l.waitstart))::double precision * 1000
                   from pg_locks l where l.pid = a.pid and not l.granted), 0) as milliseconds,
       left(query, 120) as query
  from waiting a
 where %(ours)s = any (pg_blocking_pids(pid))
 order by milliseconds desc
