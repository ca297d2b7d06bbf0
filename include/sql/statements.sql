-- purpose: counters of every statement since the last reset (pg_stat_statements 1.9 and later, PostgreSQL 14 to 18)
-- procedure: DM-06
-- columns: queryid bigint, user text, database text, toplevel boolean, calls bigint, total_ms double precision, rows bigint, text text
-- privilege: pg_monitor, or other roles' statements come without text and queryid
-- access: read-only
select s.queryid,
       coalesce(r.rolname::text, s.userid::text) as "user",
       coalesce(d.datname::text, s.dbid::text) as database,
       s.toplevel,
       s.calls,
       s.total_exec_time as total_ms,
       s.rows,
       left(s.query, 500) as text
  from pg_stat_statements s
  left join pg_roles r on r.oid = s.userid
  left join pg_database d on d.oid = s.dbid
 where s.queryid is not null
 order by s.total_exec_time desc
 limit coalesce(%(most)s::bigint, 10000)
