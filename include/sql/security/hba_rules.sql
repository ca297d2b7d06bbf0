-- purpose: lines of pg_hba.conf that let anybody in without a password, with a weak one, or in clear over a network
-- procedure: WM-09, WF-04
-- columns: kind text, key text, reason text
-- privilege: select on pg_hba_file_rules and execute on pg_hba_file_rules(), granted to the probe's role by a superuser
-- access: read-only
with line as (
    select h.*, format('%%s %%s %%s %%s', type, array_to_string(database, ','), array_to_string(user_name, ','),
                       coalesce(address, '')) as words,
           type <> 'local' and (coalesce(address, '') not in ('127.0.0.1', '::1', 'localhost', 'samehost')
                                -- 127.0.0.1/0 is everybody.
                                or netmask not in ('255.255.255.255', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff')) as from_afar
      from pg_hba_file_rules h
), fault (key, reason) as (
    select words, format('line %%s: %%s lets in whoever says the name', line_number, auth_method) from line
     where auth_method = any(%(no_password)s::text[])
    union all
    select words, format('line %%s: %%s sends or keeps a weak password', line_number, auth_method) from line
     where auth_method = any(%(weak)s::text[])
    union all
    select words, format('line %%s: from another machine without TLS', line_number) from line
     where from_afar and type in ('host', 'hostnossl') and auth_method <> 'reject'
    union all
    select 'line ' || line_number, 'cannot be read: ' || error from line where error is not null
)
select 'looked at' as kind, count(*)::text as key, '' as reason from line
union all
select 'violation', 'pg_hba ' || btrim(key), reason from fault
 order by 1, 2, 3
