-- purpose: drops what a restore that was cut off left of its database on the throw-away server, with who is still in it
-- procedure: M3-02, ED-05
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
drop database if exists {database} with (force)
