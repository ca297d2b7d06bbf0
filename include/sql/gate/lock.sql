-- purpose: takes the advisory lock of maintenance; kept until the session ends
-- procedure: MW-05, WM-01, WM-02, WM-03
-- columns: taken boolean
-- privilege: none
-- access: read-only
select pg_try_advisory_lock(%(key)s::bigint) as taken
