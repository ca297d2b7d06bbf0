-- purpose: when one table was last analysed and vacuumed, and what was changed since
-- procedure: WM-01
-- columns: analyzed_at timestamptz, vacuumed_at timestamptz, changed bigint, dead bigint, rows double precision, bytes bigint
-- privilege: none
-- access: read-only
select s.last_analyze as analyzed_at, s.last_vacuum as vacuumed_at, s.n_mod_since_analyze as changed,
       s.n_dead_tup as dead, c.reltuples::double precision as rows,
       c.relpages::bigint * current_setting('block_size')::int as bytes
  from pg_class c
  left join pg_stat_all_tables s on s.relid = c.oid
  join pg_namespace n on n.oid = c.relnamespace
 where n.nspname = %(schema)s and c.relname = %(name)s
