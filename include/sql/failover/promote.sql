-- purpose: the throw-away standby becomes a primary; waits until it is one, or for so many seconds
-- procedure: M3-04
-- columns: promoted boolean
-- privilege: superuser of the throw-away server
-- access: writes
select pg_promote(true, %(seconds)s) as promoted
