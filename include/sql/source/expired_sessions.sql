-- purpose: how many sessions are past their expiry at a moment and were never closed
-- procedure: DM-12
-- columns: sessions bigint
-- privilege: SELECT on app_sessions
-- access: read-only
SELECT count(*) AS sessions
FROM app_sessions
WHERE ended_at IS NULL
  AND expires_at <= %(at)s
