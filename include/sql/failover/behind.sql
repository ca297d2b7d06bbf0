-- purpose: how many bytes of WAL before a position the throw-away standby still has to receive, and to replay
-- procedure: M3-05
-- columns: in_recovery boolean, receive_bytes bigint, replay_bytes bigint
-- privilege: none
-- access: read-only
select pg_is_in_recovery() as in_recovery,
       greatest(pg_wal_lsn_diff(%(lsn)s::pg_lsn, coalesce(pg_last_wal_receive_lsn(), '0/0')), 0)::bigint as receive_bytes,
       greatest(pg_wal_lsn_diff(%(lsn)s::pg_lsn, coalesce(pg_last_wal_replay_lsn(), '0/0')), 0)::bigint as replay_bytes
