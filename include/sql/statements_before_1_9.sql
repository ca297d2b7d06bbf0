-- purpose: the same where the extension was not updated after an upgrade (1.8: nested statements are not told apart)
-- procedure: DM-06
-- columns: queryid bigint, user text, database text, toplevel boolean, calls bigint, total_ms double precision, rows bigint, text text
-- privilege: pg_monitor, or other roles' statements come without text and queryid
-- access: read-only
select s.queryid,
       coalesce(r.rolname::text, s.userid::text) as "user",
       coalesce(d.datname::text, s.dbid::text) as database,
       true as toplevel,
       sum(s.calls)::bigint as calls,
       sum(s.total_exec_time) as total_ms,
       sum(s.rows)::bigint as rows,
       left(min(s.query), 500) as text
  from pg_stat_statements s
  left join pg_roles r on r.oid = s.userid
  left join pg_database d on d.oid = s.dbid
 where s.queryid is not null
 group by s.queryid, r.rolname, s.userid, d.datname, s.dbid
 order by sum(s.total_exec_time) desc
 limit coalesce(%(most)s::bigint, 10000)
