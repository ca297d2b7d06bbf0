-- purpose: the rows of the sessions with these ids, to be held against the session store
-- procedure: DM-12
-- columns: session_id text, created_at timestamptz, expires_at timestamptz, ended_at timestamptz
-- privilege: SELECT on app_sessions
-- access: read-only
SELECT session_id, created_at, expires_at, ended_at
FROM app_sessions
WHERE session_id = ANY(%(ids)s::text[])
