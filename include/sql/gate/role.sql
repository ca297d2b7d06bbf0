-- purpose: whether this server takes writes
-- procedure: MW-04, WM-01, WM-02, WM-03
-- columns: standby boolean
-- privilege: none
-- access: read-only
select pg_is_in_recovery() as standby
