-- purpose: how large the restored database is
-- procedure: M3-02, ED-05
-- columns: bytes bigint
-- privilege: none
-- access: read-only
select pg_database_size(current_database()) as bytes
