-- purpose: replication slots, and how much WAL each keeps on the disk of this server
-- procedure: M3-05
-- columns: slot text, kind text, active boolean, wal_status text, retained_bytes bigint
-- privilege: pg_monitor
-- access: read-only
select slot_name::text as slot,
       slot_type as kind,
       active,
       coalesce(wal_status, 'unreserved') as wal_status,
       coalesce(pg_wal_lsn_diff(
           case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end, restart_lsn
       ), 0)::bigint as retained_bytes
  from pg_replication_slots
 where not temporary
 order by slot_name
