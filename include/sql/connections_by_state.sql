-- purpose: client connections to the whole server by state and by who holds them, our own session left out
-- procedure: DM-05, DM-07
-- columns: state text, user text, application text, database text, connections bigint
-- privilege: pg_monitor, or the states of other roles' sessions come back empty
-- access: read-only
select coalesce(state, 'hidden') as state,
       coalesce(usename::text, '') as "user",
       coalesce(application_name, '') as application,
       coalesce(datname::text, '') as database,
       count(*) as connections
  from pg_stat_activity
 where backend_type = 'client backend'
   and pid <> pg_backend_pid()
 group by 1, 2, 3, 4
 order by 1, 2, 3, 4
