-- purpose: what keeps old rows from being cleaned up: sessions, prepared transactions, replication slots, standbys
-- procedure: WM-01
-- columns: kind text, name text, age bigint
-- privilege: pg_monitor
-- access: read-only
select kind, name, age
  from (select 'session' as kind, format('pid %%s (%%s, %%s)', pid, coalesce(usename, '?'), application_name) as name,
               greatest(age(backend_xmin), age(backend_xid))::bigint as age
          from pg_stat_activity
         where (backend_xmin is not null or backend_xid is not null) and pid <> pg_backend_pid()
         union all
        select 'prepared transaction', gid, age(transaction)::bigint from pg_prepared_xacts
         union all
        select 'replication slot', slot_name::text, greatest(age(xmin), age(catalog_xmin))::bigint
          from pg_replication_slots where xmin is not null or catalog_xmin is not null
         union all
        select 'standby', application_name, age(backend_xmin)::bigint
          from pg_stat_replication where backend_xmin is not null) held
 where age > 0
 order by age desc
 limit 3
