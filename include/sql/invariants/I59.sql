-- purpose: A changed deal, asset or liability has its audit row, and the audit trail is not silent for two business days
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on assets, audit_logs, clo_deals, holidays, liabilities
-- access: read-only
-- severity: critical
-- kind: cross-system
WITH trail AS (
    SELECT min(created_at) AS began, max(created_at) AS latest FROM audit_logs
), changed (object_type, object_id, updated_at) AS (
    SELECT 'deal', deal_id, updated_at FROM clo_deals WHERE updated_at > created_at
    UNION ALL
    SELECT 'asset', blkrock_id, updated_at FROM assets WHERE updated_at > created_at
    UNION ALL
    SELECT 'liability', deal_id || '-' || tranche_name, updated_at AT TIME ZONE 'UTC'
    FROM liabilities WHERE updated_at > created_at
), fault (key, reason) AS (
    SELECT c.object_type || ' ' || c.object_id, format('changed at %%s, no audit row since', c.updated_at)
    FROM changed AS c, trail
    WHERE c.updated_at >= trail.began
      AND NOT EXISTS (SELECT FROM audit_logs AS l WHERE l.object_type = c.object_type AND l.object_id = c.object_id
                      AND l.created_at >= c.updated_at - interval '1 minute')
    UNION ALL
    SELECT 'audit_logs', format('no row since %%s', coalesce(trail.latest::text, 'ever'))
    FROM trail
    WHERE trail.latest IS NULL
       OR (SELECT count(*) FROM generate_series(trail.latest::date + 1, %(at)s::timestamptz::date - 1, interval '1 day')
               AS g (day)
           WHERE extract(isodow FROM g.day) < 6
             AND NOT EXISTS (SELECT FROM holidays AS h WHERE h.holiday_date = g.day::date AND h.country_code = 'US')) >= 2
)
SELECT key, reason FROM fault ORDER BY 1 LIMIT %(limit)s
