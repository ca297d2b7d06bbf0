-- purpose: one marker, a transaction by itself
-- procedure: M3-05
-- columns: none nothing
-- privilege: owner of the throw-away database
-- access: writes
insert into clo_ops_drill.marker (run, number) values (%(run)s, %(number)s)
