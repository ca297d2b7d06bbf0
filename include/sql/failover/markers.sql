-- purpose: the markers of one drill that are there
-- procedure: M3-05
-- columns: number bigint
-- privilege: owner of the throw-away database
-- access: read-only
select number from clo_ops_drill.marker where run = %(run)s order by number
