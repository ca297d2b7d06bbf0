-- purpose: the oldest transaction that is not over, the next one there will be, and the timeline they are counted on
-- procedure: WM-03
-- columns: oldest text, next text, timeline text
-- privilege: none
-- access: read-only
select pg_snapshot_xmin(now_seen)::text as oldest,
       pg_snapshot_xmax(now_seen)::text as next,
       left(pg_walfile_name(pg_current_wal_insert_lsn()), 8) as timeline
  from pg_current_snapshot() as now_seen
