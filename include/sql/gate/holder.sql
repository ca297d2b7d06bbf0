-- purpose: who holds the advisory lock of maintenance in this database
-- procedure: MW-04, WM-01, WM-02, WM-03
-- columns: who text, since timestamptz
-- privilege: pg_monitor to see the names of other roles' sessions
-- access: read-only
select coalesce(nullif(a.application_name, ''), 'a session') || ' (pid ' || l.pid || ')' as who, a.backend_start as since
  from pg_locks l left join pg_stat_activity a on a.pid = l.pid
 where l.locktype = 'advisory' and l.granted and l.objsubid = 1
   and l.database = (select oid from pg_database where datname = current_database())
   and l.classid::bigint = (%(key)s::bigint >> 32) & 4294967295
   and l.objid::bigint = %(key)s::bigint & 4294967295
   and l.pid <> pg_backend_pid()
