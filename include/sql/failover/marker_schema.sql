-- purpose: a schema of the drill's own in the throw-away database, beside the application's
-- procedure: M3-05
-- columns: none nothing
-- privilege: owner of the throw-away database
-- access: writes
create schema if not exists clo_ops_drill
