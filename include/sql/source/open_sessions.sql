-- purpose: one page of the sessions that are open, in the order of their ids, begun before a moment and good beyond another
-- procedure: DM-12
-- columns: session_id text, created_at timestamptz, expires_at timestamptz
-- privilege: SELECT on app_sessions
-- access: read-only
SELECT session_id, created_at, expires_at
FROM app_sessions
WHERE ended_at IS NULL
  AND expires_at > %(good_beyond)s
  AND created_at < %(begun_before)s
  AND session_id > %(after)s
ORDER BY session_id
LIMIT %(page)s
