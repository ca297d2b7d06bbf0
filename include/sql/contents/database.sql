-- purpose: encoding and collation of this database, the server's version and clock
-- procedure: M3-03, ED-03
-- columns: at timestamptz, server_version text, server_major integer, encoding text, collate text, ctype text, provider text, locale text, collation_version text
-- privilege: none
-- access: read-only
select transaction_timestamp() as at, current_setting('server_version') as server_version,
       current_setting('server_version_num')::int / 10000 as server_major,
       pg_encoding_to_char(d.encoding)::text as encoding, d.datcollate::text as collate, d.datctype::text as ctype,
       coalesce(to_jsonb(d) ->> 'datlocprovider', 'c') as provider,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale') as locale,
       to_jsonb(d) ->> 'datcollversion' as collation_version
  from pg_database d
 where d.datname = current_database()
