-- purpose: the application's role may log in to the throw-away server, with a password made for this run
-- procedure: M3-06
-- columns: none nothing
-- privilege: superuser of the throw-away server
-- access: writes
alter role {role} with login password {password} valid until 'infinity'
