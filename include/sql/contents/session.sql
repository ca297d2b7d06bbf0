-- purpose: pins for this transaction everything that decides how a value is written as text, and that no row is hidden
-- procedure: M3-03, ED-03
-- columns: pinned text
-- privilege: none
-- access: read-only
select set_config(name, value, true) as pinned
  from (values ('search_path', ''), ('TimeZone', 'UTC'), ('DateStyle', 'ISO, YMD'), ('IntervalStyle', 'postgres'),
               ('extra_float_digits', '3'), ('bytea_output', 'hex'), ('lc_monetary', 'C'),
               ('row_security', 'off')) as wanted (name, value)
