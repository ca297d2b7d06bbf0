-- purpose: A note's balance is what it began with, less principal paid, plus interest capitalised
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on clo_tranches, waterfall_executions, waterfall_payments
-- access: read-only
-- severity: critical
-- kind: recompute
WITH moved AS (
    SELECT p.target_tranche_id AS tranche_id, count(*) AS steps,
           sum(p.amount_paid) FILTER (WHERE p.payment_step LIKE '%%PRINCIPAL') AS principal,
           sum(p.amount_deferred) AS capitalised
    FROM waterfall_payments AS p JOIN waterfall_executions AS e USING (execution_id)
    WHERE e.execution_status = 'COMPLETED'
    GROUP BY 1
), expected AS (
    SELECT t.tranche_id, t.initial_balance, t.current_balance, coalesce(m.steps, 0) AS steps,
           coalesce(m.capitalised, 0) AS capitalised,
           t.initial_balance - coalesce(m.principal, 0) + coalesce(m.capitalised, 0) AS balance
    FROM clo_tranches AS t LEFT JOIN moved AS m USING (tranche_id)
)
SELECT tranche_id AS key, format('current balance %%s, recomputed %%s', current_balance, balance) AS reason
FROM expected
WHERE abs(current_balance - balance) > 0.01 * (1 + steps)
   OR current_balance < 0
   OR current_balance > initial_balance + capitalised + 0.01
ORDER BY 1
LIMIT %(limit)s
