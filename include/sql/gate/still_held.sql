-- purpose: whether this session still holds the advisory lock of maintenance, on a server that still takes writes
-- procedure: MW-05, WM-01, WM-02, WM-03
-- columns: held boolean, standby boolean
-- privilege: none
-- access: read-only
select exists (select from pg_locks l
                where l.locktype = 'advisory' and l.granted and l.objsubid = 1 and l.pid = pg_backend_pid()
                  and l.database = (select oid from pg_database where datname = current_database())
                  and l.classid::bigint = (%(key)s::bigint >> 32) & 4294967295
                  and l.objid::bigint = %(key)s::bigint & 4294967295) as held,
       pg_is_in_recovery() as standby
