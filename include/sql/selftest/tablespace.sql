-- purpose: a tablespace on a disk that is soon full
-- procedure: M3-07
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
create tablespace {tablespace} location {location}
