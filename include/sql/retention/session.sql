-- purpose: pins for this session how values are written as text, and whether it may write; room for what a trigger sees of a batch
-- procedure: WM-03, WF-05
-- columns: pinned text
-- privilege: none
-- access: read-only
select set_config(name, value, false) as pinned
  from (values ('TimeZone', 'UTC'), ('DateStyle', 'ISO, YMD'), ('work_mem', '32MB'),
               ('default_transaction_read_only', %(read_only)s)) as wanted (name, value)
