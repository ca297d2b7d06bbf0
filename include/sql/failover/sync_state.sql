-- purpose: whether the throw-away primary waits for its standby
-- procedure: M3-04, M3-05
-- columns: standby text, state text, sync_state text
-- privilege: superuser of the throw-away server
-- access: read-only
select application_name as standby, coalesce(state, '') as state, coalesce(sync_state, '') as sync_state
  from pg_stat_replication
 where state = 'streaming'
