-- purpose: commits on the throw-away primary wait for its standby from now on
-- procedure: M3-05
-- columns: none nothing
-- privilege: superuser of the throw-away server
-- access: writes
alter system set synchronous_standby_names = '*'
