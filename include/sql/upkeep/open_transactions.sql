-- purpose: transactions a rebuild of an index would have to wait for, oldest first
-- procedure: WM-02
-- columns: who text, seconds double precision, doing text
-- privilege: pg_monitor
-- access: read-only
-- VACUUM and rebuilds of plain indexes do not wait for each other; every other snapshot of the database is waited for.
select who, seconds, doing
  from (select format('pid %%s (%%s, %%s)', pid, coalesce(usename, '?'), coalesce(nullif(application_name, ''), 'unnamed'))
                   as who,
               extract(epoch from clock_timestamp() - xact_start)::double precision as seconds,
               state || ': ' || left(query, 80) as doing
          from pg_stat_activity
         where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()
           and backend_type in ('client backend', 'background worker', 'walsender')
         union all
        select 'prepared transaction ' || gid, extract(epoch from clock_timestamp() - prepared), 'waits for its COMMIT'
          from pg_prepared_xacts where database = current_database()) one
 where seconds > %(longer)s
 order by seconds desc
 limit 5
