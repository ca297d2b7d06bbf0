-- purpose: the oldest transactions of this database, prepared ones among them: they hold a concurrent rebuild and vacuum back
-- procedure: MW-04, WM-01, WM-02, WM-03
-- columns: age_seconds double precision, who text, state text
-- privilege: pg_monitor to see other roles' sessions
-- access: read-only
select age_seconds, who, state
  from (select extract(epoch from clock_timestamp() - xact_start)::double precision as age_seconds,
               coalesce(nullif(application_name, ''), 'a session') || ' (' || usename || ', pid ' || pid || ')' as who,
               coalesce(state, 'hidden') as state
          from pg_stat_activity
         where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()
           and backend_type = 'client backend'
        union all
        select extract(epoch from clock_timestamp() - prepared)::double precision, 'prepared transaction ' || gid || ' of ' || owner,
               'prepared'
          from pg_prepared_xacts
         where database = current_database()) as open_ones
 order by age_seconds desc
 limit 20
