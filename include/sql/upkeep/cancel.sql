-- purpose: ends the statement of a maintenance session of ours that is in somebody's way
-- procedure: WM-01, WM-02
-- columns: cancelled boolean
-- privilege: the session's own role
-- access: writes
select pg_cancel_backend(%(ours)s) as cancelled
