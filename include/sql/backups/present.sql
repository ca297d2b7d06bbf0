-- purpose: which of these tables this database has
-- procedure: ED-03, MW-04, M3-03
-- columns: name text
-- privilege: none
-- access: read-only
select name from unnest(%(names)s::text[]) as given (name) where to_regclass(name) is not null
