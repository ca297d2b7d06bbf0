-- purpose: sessions that take a backup of this server: pg_dump, a base backup, or whoever holds our own lock
-- procedure: M3-01
-- columns: application text, query text, since timestamptz
-- privilege: pg_monitor to see other roles' sessions
-- access: read-only
select a.application_name as application, left(a.query, 120) as query, a.backend_start as since
  from pg_stat_activity a
 where a.pid <> pg_backend_pid()
   and (a.application_name in ('pg_dump', 'pg_dumpall', 'pg_basebackup')
        or a.query ~* '^copy .* to stdout' and a.state = 'active'
        or exists (select from pg_stat_progress_basebackup b where b.pid = a.pid)
        or exists (select from pg_locks l
                    where l.pid = a.pid and l.locktype = 'advisory' and l.granted and l.objsubid = 2
                      and l.classid = (hashtext('clo_ops.backup')::bigint & 4294967295)::oid))
 order by a.backend_start
