-- purpose: gives the heirloom to a role
-- procedure: M3-07
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
alter table selftest_heirloom owner to {role}
