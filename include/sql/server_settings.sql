-- purpose: the limits connections are counted against
-- procedure: DM-05
-- columns: name text, value bigint
-- privilege: none
-- access: read-only
select name, setting::bigint as value
  from pg_settings
 where name in ('max_connections', 'superuser_reserved_connections', 'reserved_connections')
 order by name
