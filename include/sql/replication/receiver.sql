-- purpose: what a standby receives: from whom, and how far its replay is behind what it has
-- procedure: M3-05
-- columns: status text, sender text, received_lag_bytes bigint, behind_seconds double precision
-- privilege: pg_monitor
-- access: read-only
select coalesce(r.status, 'not receiving') as status,
       coalesce(r.sender_host || ':' || r.sender_port, 'nobody') as sender,
       coalesce(pg_wal_lsn_diff(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn()), 0)::bigint as received_lag_bytes,
       case when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then 0.0
            else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp()) end::double precision as behind_seconds
  from (select pg_is_in_recovery() as standby) as here
  left join pg_stat_wal_receiver r on true
 where here.standby
