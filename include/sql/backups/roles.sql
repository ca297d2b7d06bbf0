-- purpose: the roles of the server with what they may do, without passwords: a restore makes them first
-- procedure: ED-03, M3-02
-- columns: name text, superuser boolean, inherit boolean, createrole boolean, createdb boolean, login boolean, replication boolean, bypassrls boolean, connection_limit integer, valid_until text, settings text[], member_of text[]
-- privilege: none
-- access: read-only
select r.rolname as name,
       r.rolsuper as superuser,
       r.rolinherit as inherit,
       r.rolcreaterole as createrole,
       r.rolcreatedb as createdb,
       r.rolcanlogin as login,
       r.rolreplication as replication,
       r.rolbypassrls as bypassrls,
       r.rolconnlimit as connection_limit,
       r.rolvaliduntil::text as valid_until,
       coalesce(r.rolconfig, '{}') as settings,
       array(select g.rolname::text
               from pg_auth_members m
               join pg_roles g on g.oid = m.roleid
              where m.member = r.oid
              order by g.rolname) as member_of
  from pg_roles r
 where r.rolname !~ '^pg_'
 order by r.rolname
