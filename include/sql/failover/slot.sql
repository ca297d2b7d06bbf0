-- purpose: whether a throw-away primary still has a slot of that name, and who holds it
-- procedure: M3-04
-- columns: held_by integer
-- privilege: none
-- access: read-only
select active_pid as held_by from pg_replication_slots where slot_name = %(slot)s
