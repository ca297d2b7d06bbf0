-- purpose: commits on a throw-away server wait for nobody
-- procedure: M3-05
-- columns: none nothing
-- privilege: superuser of the throw-away server
-- access: writes
alter system reset synchronous_standby_names
