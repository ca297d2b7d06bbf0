-- purpose: An execution's steps are numbered without gaps, are in its configuration's rules, and pay classes of its deal
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on clo_tranches, waterfall_configurations, waterfall_executions, waterfall_payments
-- access: read-only
-- severity: critical
-- kind: cross-table
WITH step AS (
    SELECT p.payment_id, p.payment_step, p.step_sequence, p.payment_priority, p.target_tranche_id, e.deal_id,
           c.payment_rules::jsonb -> lower(p.payment_priority) AS allowed,
           row_number() OVER (PARTITION BY p.execution_id ORDER BY p.step_sequence, p.payment_id) AS place
    FROM waterfall_payments AS p JOIN waterfall_executions AS e USING (execution_id)
    JOIN waterfall_configurations AS c USING (config_id)
), fault (payment_id, reason) AS (
    SELECT payment_id, format('step %%s in place %%s', step_sequence, place) FROM step WHERE step_sequence <> place
    UNION ALL
    SELECT payment_id, format('%%s is not among the rules of %%s', payment_step, lower(payment_priority))
    FROM step WHERE NOT coalesce(allowed, '[]') ? payment_step
    UNION ALL
    SELECT s.payment_id, format('%%s is no class of %%s', s.target_tranche_id, s.deal_id)
    FROM step AS s LEFT JOIN clo_tranches AS t ON t.tranche_id = s.target_tranche_id AND t.deal_id = s.deal_id
    WHERE s.target_tranche_id IS NOT NULL AND t.tranche_id IS NULL
    UNION ALL
    SELECT payment_id, format('%%s pays no class', payment_step)
    FROM step WHERE target_tranche_id IS NULL AND payment_step NOT LIKE '%%FEE'
)
SELECT 'payment ' || payment_id AS key, reason FROM fault ORDER BY payment_id LIMIT %(limit)s
