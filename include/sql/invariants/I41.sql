-- purpose: Distributions to date are the residual payments, and the multiple is of what was invested
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on clo_tranches, liabilities, mag_performance_metrics, waterfall_executions, waterfall_payments
-- access: read-only
-- severity: error
-- kind: recompute
WITH residual AS (
    SELECT t.deal_id, t.initial_balance AS invested FROM clo_tranches AS t JOIN liabilities AS l USING (deal_id, tranche_name)
    WHERE l.is_equity_tranche
), received AS (
    SELECT m.metric_id, count(*) AS payments, coalesce(sum(p.amount_paid), 0) AS total
    FROM mag_performance_metrics AS m
    LEFT JOIN waterfall_executions AS e
           ON e.deal_id = m.deal_id AND e.payment_date <= m.calculation_date AND e.execution_status = 'COMPLETED'
    LEFT JOIN waterfall_payments AS p ON p.execution_id = e.execution_id AND p.payment_step LIKE 'RESIDUAL%%'
    GROUP BY m.metric_id
)
SELECT m.deal_id || ' ' || m.calculation_date AS key,
       format('distributed %%s, recomputed %%s; multiple %%s of %%s', m.cumulative_equity_distributions, r.total,
              m.equity_moic, i.invested) AS reason
FROM mag_performance_metrics AS m JOIN received AS r USING (metric_id) LEFT JOIN residual AS i USING (deal_id)
WHERE i.invested IS NULL OR abs(m.cumulative_equity_distributions - r.total) > 0.01 * r.payments
   OR abs(m.equity_moic - r.total / i.invested) > 1e-6
ORDER BY 1
LIMIT %(limit)s
