-- purpose: what a commit of this session waits for: "on" its standby too, "local" this server's own disk
-- procedure: M3-05
-- columns: acknowledged text
-- privilege: none
-- access: read-only
select set_config('synchronous_commit', %(after)s, false) as acknowledged
