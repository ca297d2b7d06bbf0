-- purpose: times come back in UTC, without sending values through anybody's locale
-- procedure: WM-06, WM-08, WF-01
-- columns: set_config text
-- privilege: none
-- access: read-only
select set_config('TimeZone', 'UTC', true)
