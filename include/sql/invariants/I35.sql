-- purpose: Nobody is paid below a step that was not paid in full, of interest or of principal
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on waterfall_executions, waterfall_payments
-- access: read-only
-- severity: critical
-- kind: cross-row
WITH step AS (
    SELECT p.payment_id, p.execution_id, p.payment_step, p.payment_priority, p.amount_paid,
           max(p.amount_due - p.amount_paid) OVER (
               PARTITION BY p.execution_id, p.payment_priority ORDER BY p.step_sequence
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING
           ) AS short_above
    FROM waterfall_payments AS p JOIN waterfall_executions AS e USING (execution_id)
    WHERE e.execution_status = 'COMPLETED'
)
SELECT 'payment ' || payment_id AS key,
       format('%%s was paid %%s, a step above it is %%s short', payment_step, amount_paid, short_above) AS reason
FROM step WHERE amount_paid > 0.01 AND short_above > 0.01
ORDER BY payment_id
LIMIT %(limit)s
