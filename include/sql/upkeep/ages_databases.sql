-- purpose: how old the oldest transaction and row-lock numbers of each database are
-- procedure: WM-01
-- columns: database text, age bigint, multixact_age bigint
-- privilege: none
-- access: read-only
select datname::text as database, age(datfrozenxid)::bigint as age, mxid_age(datminmxid)::bigint as multixact_age
  from pg_database
 order by greatest(age(datfrozenxid), mxid_age(datminmxid)) desc
