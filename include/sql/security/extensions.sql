-- purpose: extensions and languages that reach outside the database and that the baseline does not name
-- procedure: WF-04
-- columns: kind text, key text, reason text
-- privilege: none
-- access: read-only
select 'looked at' as kind, ((select count(*) from pg_extension) + (select count(*) from pg_language))::text as key, '' as reason
union all
select 'violation', 'extension ' || extname, 'not in the baseline' from pg_extension where extname <> all(%(allowed)s::text[])
union all
select 'violation', 'language ' || lanname, 'untrusted: its functions reach the machine'
  from pg_language where not lanpltrusted and lanname not in ('internal', 'c')
 order by 1, 2, 3
