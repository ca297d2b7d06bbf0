-- purpose: Fees are base, rate and time, the administrator's within its cap, the incentive only above the hurdle
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on clo_deals, mag_performance_metrics, waterfall_configurations, waterfall_executions, waterfall_payments
-- access: read-only
-- severity: error
-- kind: recompute
WITH run AS (
    SELECT e.execution_id, e.deal_id, e.payment_date, e.config_id,
           (e.payment_date - coalesce(lag(e.payment_date) OVER (PARTITION BY e.deal_id ORDER BY e.payment_date),
                                      d.closing_date)) / 360.0 AS fraction
    FROM waterfall_executions AS e JOIN clo_deals AS d USING (deal_id)
    WHERE e.execution_status = 'COMPLETED'
), fee AS (
    SELECT p.payment_id, p.payment_step, p.amount_due, p.amount_paid, p.payment_rate, c.incentive_hurdle_rate,
           m.equity_irr, c.admin_fee_cap * r.fraction AS cap,
           CASE p.payment_step
               WHEN 'TRUSTEE_FEE' THEN c.trustee_fee_annual * r.fraction
               WHEN 'SENIOR_MGMT_FEE' THEN p.calculation_base * c.senior_mgmt_fee_rate * r.fraction
               WHEN 'JUNIOR_MGMT_FEE' THEN p.calculation_base * c.junior_mgmt_fee_rate * r.fraction
           END AS due,
           CASE p.payment_step WHEN 'SENIOR_MGMT_FEE' THEN c.senior_mgmt_fee_rate
                               WHEN 'JUNIOR_MGMT_FEE' THEN c.junior_mgmt_fee_rate END AS rate
    FROM waterfall_payments AS p JOIN run AS r USING (execution_id) JOIN waterfall_configurations AS c USING (config_id)
    LEFT JOIN mag_performance_metrics AS m ON m.deal_id = r.deal_id AND m.calculation_date = r.payment_date
    WHERE p.payment_step LIKE '%%FEE'
)
SELECT 'payment ' || payment_id AS key,
       format('%%s: due %%s, recomputed %%s at %%s, cap %%s, return %%s of %%s', payment_step, amount_due, round(due, 2),
              coalesce(rate::text, 'a fixed amount'), round(cap, 2), equity_irr, incentive_hurdle_rate) AS reason
FROM fee
WHERE (payment_step IN ('TRUSTEE_FEE', 'SENIOR_MGMT_FEE', 'JUNIOR_MGMT_FEE')
       AND (due IS NULL OR abs(amount_due - due) > 0.01 OR payment_rate IS DISTINCT FROM rate))
   OR (payment_step = 'ADMIN_FEE' AND amount_due > cap + 0.01)
   OR (payment_step = 'INCENTIVE_FEE' AND amount_paid > 0 AND coalesce(equity_irr, -1) < incentive_hurdle_rate)
ORDER BY payment_id
LIMIT %(limit)s
