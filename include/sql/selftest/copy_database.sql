-- purpose: a copy of the restored database, for one fault
-- procedure: M3-07
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
create database {database} with template {template}
