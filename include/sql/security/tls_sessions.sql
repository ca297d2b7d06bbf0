-- purpose: sessions over a network that are not encrypted
-- procedure: WM-09, WF-04
-- columns: kind text, key text, reason text
-- privilege: pg_monitor, to see the sessions of others
-- access: read-only
with session as (
    select distinct a.usename::text as name, host(a.client_addr) as source, coalesce(s.ssl, false) as encrypted
      from pg_stat_activity a left join pg_stat_ssl s using (pid)
     where a.backend_type = 'client backend' and a.client_addr is not null
       and not a.client_addr <<= inet '127.0.0.0/8' and a.client_addr <> inet '::1'
)
select 'looked at' as kind, count(*)::text as key, '' as reason from session
union all
select 'violation', format('session of %%s', name), format('from %%s without TLS', source) from session where not encrypted
 order by 1, 2, 3
