-- purpose: one index in order, and every row of its table in it; raises what it finds
-- procedure: M3-03
-- columns: checked text
-- privilege: EXECUTE on amcheck's functions
-- access: read-only
select {check}(index => %(oid)s::oid, heapallindexed => true)::text as checked
