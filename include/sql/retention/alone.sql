-- purpose: takes the lock that lets one retention of this database run at a time; kept until the session ends
-- procedure: WM-03
-- columns: taken boolean
-- privilege: none
-- access: read-only
select pg_try_advisory_lock(hashtext('clo_ops.retention'), hashtext(current_database())) as taken
