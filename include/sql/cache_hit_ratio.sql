-- purpose: share of block reads answered from PostgreSQL's own cache since the last reset, for each database that was read
-- procedure: DM-07, DM-08
-- columns: database text, hit_percent double precision, blocks_hit bigint, blocks_read bigint
-- privilege: none
-- access: read-only
select datname::text as database,
       100.0::double precision * blks_hit / (blks_hit + blks_read) as hit_percent,
       blks_hit as blocks_hit,
       blks_read as blocks_read
  from pg_stat_database
 where datname is not null
   and datname not in ('template0', 'template1')
   and blks_hit + blks_read > 0
 order by datname
