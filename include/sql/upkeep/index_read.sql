-- purpose: how full the pages of one B-tree index are, by reading all of it
-- procedure: WM-02
-- columns: bytes bigint, leaf_pages bigint, other_pages bigint, gone_pages bigint, density double precision, fragmentation double precision
-- privilege: EXECUTE on pgstattuple's functions, which pg_monitor has
-- access: read-only
select index_size as bytes, leaf_pages, internal_pages + 1 as other_pages, empty_pages + deleted_pages as gone_pages,
       case when avg_leaf_density = 'NaN' then 0 else avg_leaf_density end as density,
       case when leaf_fragmentation = 'NaN' then 0 else leaf_fragmentation end as fragmentation
  from {pgstatindex}(%(oid)s::bigint::oid::regclass)
