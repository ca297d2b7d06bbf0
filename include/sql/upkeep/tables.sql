-- purpose: what was changed in each table since it was analysed and vacuumed, and whether maintenance may touch it
-- procedure: WM-01
-- columns: schema text, name text, parent boolean, leaf_of text, rows double precision, bytes bigint, changed bigint, dead bigint, analyzed_at timestamptz, vacuumed_at timestamptz, leaf_analyzed_at timestamptz, owner text, may boolean
-- privilege: none
-- access: read-only
-- Sizes are those of the last VACUUM or ANALYZE: asking for the true ones would wait for whoever locks a table.
-- A partitioned table has no rows of its own and nothing analyses it by itself: its leaves say how stale it is.
with maintainer as (
    select oid, rolname, rolsuper from pg_roles where rolname = %(maintainer)s
), looked as (
    select c.oid, n.nspname::text as schema, c.relname::text as name, c.relkind, c.reltuples, c.relpages, c.relowner,
           coalesce(s.n_mod_since_analyze, 0) as changed, coalesce(s.n_dead_tup, 0) as dead,
           coalesce(s.n_live_tup, 0) as live,
           greatest(s.last_analyze, s.last_autoanalyze) as analyzed_at,
           greatest(s.last_vacuum, s.last_autovacuum) as vacuumed_at
      from pg_class c
      join pg_namespace n on n.oid = c.relnamespace
      left join pg_stat_all_tables s on s.relid = c.oid
     where c.relkind in ('r', 'm', 'p')
       and c.relpersistence <> 't'
       and n.nspname not in ('pg_catalog', 'information_schema')
       and n.nspname !~ '^pg_(toast|temp)'
), leaves as (
    select p.oid as parent, sum(l.changed) as changed, max(l.analyzed_at) as analyzed_at,
           sum(greatest(l.reltuples, l.live, 0)) as rows
      from looked p
      cross join lateral pg_partition_tree(p.oid) t
      join looked l on l.oid = t.relid
     where p.relkind = 'p' and t.isleaf
     group by p.oid
)
select o.schema, o.name, o.relkind = 'p' as parent,
       coalesce((select i.inhparent::regclass::text from pg_inherits i where i.inhrelid = o.oid limit 1), '') as leaf_of,
       coalesce(l.rows, greatest(o.reltuples, o.live))::double precision as rows,
       greatest(o.relpages, 0)::bigint * current_setting('block_size')::int as bytes,
       coalesce(l.changed, o.changed)::bigint as changed,
       o.dead::bigint as dead,
       o.analyzed_at, o.vacuumed_at,
       l.analyzed_at as leaf_analyzed_at,
       pg_get_userbyid(o.relowner)::text as owner,
       coalesce(m.rolsuper
                or pg_has_role(m.oid, o.relowner, 'USAGE')
                or pg_has_role(m.oid, (select datdba from pg_database where datname = current_database()), 'USAGE')
                or case when current_setting('server_version_num')::int >= 170000
                        then has_table_privilege(m.oid, o.oid, 'MAINTAIN') else false end, false) as may
  from looked o
  left join leaves l on l.parent = o.oid
  left join maintainer m on true
 order by o.schema, o.name
