-- purpose: the directory the server that answers works on: of a drill's own local cluster, the one it made
-- procedure: M3-01, ED-05
-- columns: data_directory text
-- privilege: superuser of the throw-away server
-- access: read-only
select current_setting('data_directory') as data_directory
