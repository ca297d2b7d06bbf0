-- purpose: size of each table with its indexes, and how it is read: from end to end or by an index
-- procedure: WW-03, WW-06
-- columns: table text, rows bigint, bytes bigint, index_bytes bigint, scans bigint, rows_scanned bigint, index_scans bigint
-- privilege: none
-- access: read-only
-- Counted since the statistics' last reset. A table that somebody holds for himself is left out: its size would wait.
select format('%%s.%%s', s.schemaname, s.relname) as table,
       s.n_live_tup as rows,
       pg_total_relation_size(s.relid) as bytes,
       pg_indexes_size(s.relid) as index_bytes,
       coalesce(s.seq_scan, 0) as scans,
       coalesce(s.seq_tup_read, 0) as rows_scanned,
       coalesce(s.idx_scan, 0) as index_scans
  from pg_stat_user_tables s
 where not exists (select from pg_locks l
                    where l.relation = s.relid and l.mode = 'AccessExclusiveLock'
                      and l.database = (select oid from pg_database where datname = current_database()))
 order by 3 desc, 1
