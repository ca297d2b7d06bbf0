-- purpose: removes a slot of a throw-away primary that nobody holds any more; a held one stays
-- procedure: M3-04
-- columns: dropped text
-- privilege: superuser of the throw-away server
-- access: writes
select pg_drop_replication_slot(slot_name)::text as dropped
  from pg_replication_slots where slot_name = %(slot)s and not active
