-- purpose: extensions of this database whose files on the server are newer than what is installed in it
-- procedure: M4-02
-- columns: name text, installed text, available text
-- privilege: none
-- access: read-only
select e.extname::text as name, e.extversion as installed, a.default_version as available
  from pg_extension e
  join pg_available_extensions a on a.name = e.extname
 order by e.extname
