-- purpose: rows of a range leave the live table, those that are still the versions that were archived
-- procedure: WM-03
-- columns: nothing boolean
-- privilege: SELECT and DELETE on audit_logs
-- access: writes
delete from audit_logs
 where id between %(first)s and %(last)s
   and created_at < %(before)s
   and age(xmin) > (select age(%(since)s::xid))
