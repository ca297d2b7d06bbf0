-- purpose: Every payment date that is past was executed once, under the configuration in force, and no other date was
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on payment_schedules, waterfall_configurations, waterfall_executions
-- access: read-only
-- severity: critical
-- kind: temporal
WITH run AS (
    SELECT deal_id, payment_date, count(*) AS times FROM waterfall_executions
    WHERE execution_status = 'COMPLETED' GROUP BY deal_id, payment_date
), fault (key, reason) AS (
    SELECT s.deal_id || ' ' || s.payment_date, format('%%s completed executions', coalesce(r.times, 0))
    FROM payment_schedules AS s LEFT JOIN run AS r USING (deal_id, payment_date)
    WHERE coalesce(r.times, 0) <> 1
      AND (s.payment_status = 'COMPLETED' OR s.payment_date < %(at)s::timestamptz::date - 5)
    UNION ALL
    SELECT r.deal_id || ' ' || r.payment_date, 'executed, and no payment was scheduled'
    FROM run AS r LEFT JOIN payment_schedules AS s USING (deal_id, payment_date) WHERE s.schedule_id IS NULL
    UNION ALL
    SELECT e.deal_id || ' ' || e.payment_date,
           format('under configuration %%s, in force was %%s', e.config_id, coalesce(f.config_id::text, 'none'))
    FROM waterfall_executions AS e
    LEFT JOIN LATERAL (
        SELECT c.config_id FROM waterfall_configurations AS c
        WHERE c.deal_id = e.deal_id AND c.effective_date <= e.payment_date
        ORDER BY c.effective_date DESC, c.version DESC LIMIT 1
    ) AS f ON true
    WHERE e.execution_status = 'COMPLETED' AND f.config_id IS DISTINCT FROM e.config_id
)
SELECT key, reason FROM fault ORDER BY 1, 2 LIMIT %(limit)s
