-- purpose: pins for this transaction what the invariants' dates and texts depend on, and that no row is hidden
-- procedure: M3-03
-- columns: pinned text
-- privilege: none
-- access: read-only
select set_config(name, value, true) as pinned
  from (values ('TimeZone', 'UTC'), ('DateStyle', 'ISO, YMD'), ('row_security', 'off')) as wanted (name, value)
