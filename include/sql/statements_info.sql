-- purpose: when the statement counters were last reset, and how often entries were thrown away for lack of room
-- procedure: DM-06
-- columns: stats_reset timestamptz, dealloc bigint
-- privilege: none
-- access: read-only
select stats_reset, dealloc from pg_stat_statements_info
