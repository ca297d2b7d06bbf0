-- purpose: who streams from this server, and how far behind each is: what was not sent, and what was not replayed (or,
--   by a receiver that never replays, such as pg_receivewal, not yet written to its disk)
-- procedure: M3-05
-- columns: standby text, address text, state text, sync_state text, sent_lag_bytes bigint, replay_lag_bytes bigint, replay_lag_seconds double precision
-- privilege: pg_monitor
-- access: read-only
select application_name as standby,
       coalesce(host(client_addr), 'local') as address,
       coalesce(state, 'hidden') as state,
       coalesce(sync_state, 'hidden') as sync_state,
       pg_wal_lsn_diff(here.lsn, sent_lsn)::bigint as sent_lag_bytes,
       pg_wal_lsn_diff(here.lsn, coalesce(replay_lsn, flush_lsn))::bigint as replay_lag_bytes,
       extract(epoch from replay_lag)::double precision as replay_lag_seconds
  from pg_stat_replication,
       lateral (select case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end as lsn) as here
 where coalesce(state, '') <> 'backup'
 order by application_name, client_addr
