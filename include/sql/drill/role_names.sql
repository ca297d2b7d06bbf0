-- purpose: the roles the throw-away server has
-- procedure: M3-02, ED-05
-- columns: name text
-- privilege: none
-- access: read-only
select rolname::text as name from pg_roles order by 1
