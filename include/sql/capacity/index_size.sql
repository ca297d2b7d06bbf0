-- purpose: the largest indexes with their tables
-- procedure: WW-03
-- columns: index text, table text, bytes bigint
-- privilege: none
-- access: read-only
-- An index of a table that somebody holds for himself is left out: its size would wait.
select format('%%s.%%s', s.schemaname, s.indexrelname) as index,
       format('%%s.%%s', s.schemaname, s.relname) as table,
       pg_relation_size(s.indexrelid) as bytes
  from pg_stat_user_indexes s
 where not exists (select from pg_locks l
                    where l.relation in (s.relid, s.indexrelid) and l.mode = 'AccessExclusiveLock'
                      and l.database = (select oid from pg_database where datname = current_database()))
 order by 3 desc, 1
 limit %(largest)s::int
