-- purpose: makes amcheck available in a restored copy
-- procedure: M3-03
-- columns: none
-- privilege: superuser of the throw-away server, or CREATE on its database
-- access: writes
create extension if not exists amcheck
