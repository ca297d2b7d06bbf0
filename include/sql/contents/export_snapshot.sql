-- purpose: lets other sessions see exactly what this transaction sees
-- procedure: M3-03, ED-03
-- columns: snapshot text
-- privilege: none
-- access: read-only
select pg_export_snapshot() as snapshot
