-- purpose: where one sequence stands
-- procedure: M3-03, ED-03
-- columns: last_value bigint, is_called boolean
-- privilege: SELECT on the sequence
-- access: read-only
select last_value, is_called from {sequence}
