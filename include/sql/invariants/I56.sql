-- purpose: A failed OC test is cured by paying down what brings its ratio back: D less N by the threshold
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on clo_tranches, coverage_test_results, liabilities, liability_cash_flows, payment_schedules, waterfall_executions, waterfall_payments
-- access: read-only
-- severity: critical
-- kind: recompute
WITH test AS (
    SELECT e.execution_id, e.deal_id, e.payment_date, c.class, c.ratio, c.threshold, c.passed
    FROM waterfall_executions AS e JOIN payment_schedules AS s USING (deal_id, payment_date)
    JOIN coverage_test_results AS r ON r.deal_id = e.deal_id AND r.test_date = s.collection_period_end
    CROSS JOIN LATERAL (VALUES
        ('A', class_a_oc_ratio, class_a_oc_threshold, class_a_oc_pass),
        ('B', class_b_oc_ratio, class_b_oc_threshold, class_b_oc_pass),
        ('C', class_c_oc_ratio, class_c_oc_threshold, class_c_oc_pass),
        ('D', class_d_oc_ratio, class_d_oc_threshold, class_d_oc_pass)) AS c (class, ratio, threshold, passed)
    WHERE e.execution_status = 'COMPLETED'
), owed AS (
    SELECT l.deal_id, f.payment_date, l.tranche_name,
           sum(f.beginning_balance + f.deferred_beginning_balance)
               OVER (PARTITION BY l.deal_id, f.payment_date ORDER BY t.seniority_level) AS notes
    FROM liability_cash_flows AS f JOIN liabilities AS l USING (liability_id)
    JOIN clo_tranches AS t USING (deal_id, tranche_name)
), cure AS (
    SELECT p.execution_id, p.amount_due, split_part(p.payment_step, '_', 2) AS class,
           coalesce(sum(p.amount_paid) OVER (PARTITION BY p.execution_id ORDER BY p.step_sequence
                                             ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS cured_before
    FROM waterfall_payments AS p WHERE p.payment_step LIKE 'CLASS%%CURE%%'
)
SELECT t.deal_id || ' ' || t.payment_date || ' class ' || t.class AS key,
       format('ratio %%s, threshold %%s, notes %%s: cure due %%s, recomputed %%s', t.ratio, t.threshold, o.notes,
              coalesce(c.amount_due, 0), CASE WHEN t.passed THEN 0 ELSE
              round(greatest(0, o.notes * (1 - t.ratio / t.threshold) - coalesce(c.cured_before, 0)), 2) END) AS reason
FROM test AS t
LEFT JOIN owed AS o ON o.deal_id = t.deal_id AND o.payment_date = t.payment_date AND o.tranche_name = t.class
LEFT JOIN cure AS c ON c.execution_id = t.execution_id AND c.class = t.class
WHERE abs(coalesce(c.amount_due, 0) - CASE WHEN t.passed THEN 0 ELSE
          greatest(0, o.notes * (1 - t.ratio / t.threshold) - coalesce(c.cured_before, 0)) END) > 0.02
   OR o.notes IS NULL
ORDER BY 1
LIMIT %(limit)s
