-- purpose: what upkeep must know of a server: its role, since when it counts, what it may be measured with
-- procedure: WM-01, WM-02
-- columns: database text, in_recovery boolean, server_major integer, standbys integer, counted_since timestamptz, since_is_known boolean, freeze_max_age bigint, multixact_freeze_max_age bigint, pgstattuple text, sees_all_sessions boolean, next_xid bigint
-- privilege: pg_monitor, to see standbys
-- access: read-only
-- Without a reset the counters are at least as old as the server's start; a crash sets them back as well.
select d.datname::text as database,
       pg_is_in_recovery() as in_recovery,
       current_setting('server_version_num')::int / 10000 as server_major,
       (select count(*)::int from pg_stat_replication) as standbys,
       coalesce(s.stats_reset, pg_postmaster_start_time()) as counted_since,
       s.stats_reset is not null as since_is_known,
       current_setting('autovacuum_freeze_max_age')::bigint as freeze_max_age,
       current_setting('autovacuum_multixact_freeze_max_age')::bigint as multixact_freeze_max_age,
       (select n.nspname::text
          from pg_extension e
          join pg_namespace n on n.oid = e.extnamespace
         where e.extname = 'pgstattuple'
           and has_schema_privilege(n.oid, 'USAGE')
           and (select bool_and(has_function_privilege(p.oid, 'EXECUTE'))
                  from pg_proc p where p.pronamespace = n.oid and p.proname = 'pgstatindex')) as pgstattuple,
       pg_has_role('pg_read_all_stats', 'USAGE') as sees_all_sessions,
       mod(pg_snapshot_xmax(pg_current_snapshot())::text::bigint, 4294967296) as next_xid
  from pg_database d
  left join pg_stat_database s on s.datid = d.oid
 where d.datname = current_database()
