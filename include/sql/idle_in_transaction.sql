-- purpose: sessions that hold a transaction open and do nothing, oldest first
-- procedure: DM-05
-- columns: pid integer, user text, application text, database text, idle_seconds double precision, transaction_seconds double precision, query text
-- privilege: pg_monitor
-- access: read-only
select pid,
       coalesce(usename::text, '') as "user",
       coalesce(application_name, '') as application,
       coalesce(datname::text, '') as database,
       extract(epoch from clock_timestamp() - state_change)::double precision as idle_seconds,
       extract(epoch from clock_timestamp() - xact_start)::double precision as transaction_seconds,
       left(query, 200) as query
  from pg_stat_activity
 where backend_type = 'client backend'
   and pid <> pg_backend_pid()
   and state in ('idle in transaction', 'idle in transaction (aborted)')
 order by state_change
 limit 50
