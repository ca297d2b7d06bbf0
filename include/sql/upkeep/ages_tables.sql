-- purpose: the tables of this database whose oldest transaction or row-lock number is oldest
-- procedure: WM-01
-- columns: "table" text, age bigint, multixact_age bigint, freeze_max_age bigint, multixact_freeze_max_age bigint, bytes bigint
-- privilege: none
-- access: read-only
-- A table's own setting can only be below the server's. Values stored apart belong to the table they are stored for.
select coalesce(o.oid, c.oid)::regclass::text || case when o.oid is null then '' else ' (toast)' end as "table",
       age(c.relfrozenxid)::bigint as age, mxid_age(c.relminmxid)::bigint as multixact_age,
       least(coalesce((select option_value::bigint from pg_options_to_table(c.reloptions)
                        where option_name = 'autovacuum_freeze_max_age'),
                      current_setting('autovacuum_freeze_max_age')::bigint),
             current_setting('autovacuum_freeze_max_age')::bigint) as freeze_max_age,
       least(coalesce((select option_value::bigint from pg_options_to_table(c.reloptions)
                        where option_name = 'autovacuum_multixact_freeze_max_age'),
                      current_setting('autovacuum_multixact_freeze_max_age')::bigint),
             current_setting('autovacuum_multixact_freeze_max_age')::bigint) as multixact_freeze_max_age,
       c.relpages::bigint * current_setting('block_size')::int as bytes
  from pg_class c
  left join pg_class o on o.reltoastrelid = c.oid
 where c.relkind in ('r', 'm', 't') and c.relfrozenxid <> '0'
 order by greatest(age(c.relfrozenxid), mxid_age(c.relminmxid)) desc, 1
 limit %(tables)s
