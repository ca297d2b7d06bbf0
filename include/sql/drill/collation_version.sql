-- purpose: the version a collation of the backup has on this server, which decides how text is sorted
-- procedure: M3-01
-- columns: version text
-- privilege: none
-- access: read-only
select pg_collation_actual_version(c.oid) as version
  from pg_collation c
 where c.collprovider::text = %(provider)s
   and lower(replace(coalesce(case when c.collprovider <> 'c' then
                                   coalesce(to_jsonb(c) ->> 'colllocale', to_jsonb(c) ->> 'colliculocale') end,
                              c.collcollate), '-', '')) = lower(replace(%(name)s, '-', ''))
 order by pg_collation_actual_version(c.oid) is null, c.oid
 limit 1
