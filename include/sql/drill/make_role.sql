-- purpose: makes a role of the backup on the throw-away server: it owns and may, and cannot log in
-- procedure: M3-02, ED-05
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
create role {role} with nologin {attributes}
