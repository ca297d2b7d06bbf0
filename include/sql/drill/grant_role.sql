-- purpose: makes a role of the backup a member of another, on the throw-away server
-- procedure: M3-02, ED-05
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
grant {role} to {member}
