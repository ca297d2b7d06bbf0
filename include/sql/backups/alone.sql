-- purpose: takes the lock that lets one backup of this database run at a time; kept until the session ends
-- procedure: ED-03, MW-04
-- columns: taken boolean
-- privilege: none
-- access: read-only
select pg_try_advisory_lock(hashtext('clo_ops.backup'), hashtext(current_database())) as taken
