-- purpose: makes the empty database a backup is restored into, with the encoding and collation it was taken with
-- procedure: M3-02, ED-05
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
create database {database} with template template0 encoding {encoding} lc_collate {collate} lc_ctype {ctype} {provider}
