-- purpose: what is wrong in one table's pages, its rows' visibility and their values stored apart
-- procedure: M3-03
-- columns: blkno bigint, offnum integer, msg text
-- privilege: EXECUTE on amcheck's functions
-- access: read-only
select blkno, offnum, msg from {check}(relation => %(oid)s::oid, check_toast => true) limit 5
