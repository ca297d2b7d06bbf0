-- purpose: an empty database on a disk that is soon full
-- procedure: M3-07
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
create database {database} with template template0 tablespace {tablespace}
