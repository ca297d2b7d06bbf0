-- purpose: While a coverage test fails and is not cured, residual and subordinated fees get nothing
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on coverage_test_results, payment_schedules, waterfall_executions, waterfall_payments
-- access: read-only
-- severity: critical
-- kind: cross-table
WITH run AS (
    SELECT e.execution_id, e.deal_id, e.payment_date, e.oc_test_pass, e.ic_test_pass, r.all_oc_tests_pass,
           r.all_ic_tests_pass, r.test_result_id
    FROM waterfall_executions AS e
    JOIN payment_schedules AS s USING (deal_id, payment_date)
    LEFT JOIN coverage_test_results AS r ON r.deal_id = e.deal_id AND r.test_date = s.collection_period_end
    WHERE e.execution_status = 'COMPLETED'
), paid AS (
    SELECT execution_id,
           coalesce(sum(amount_due) FILTER (WHERE payment_step LIKE '%%CURE%%'), 0) AS to_cure,
           coalesce(sum(amount_paid) FILTER (WHERE payment_step LIKE '%%CURE%%'), 0) AS cured,
           coalesce(sum(amount_paid) FILTER (WHERE payment_step LIKE 'RESIDUAL%%'
               OR payment_step IN ('JUNIOR_MGMT_FEE', 'INCENTIVE_FEE')), 0) AS junior
    FROM waterfall_payments GROUP BY execution_id
)
SELECT r.deal_id || ' ' || r.payment_date AS key,
       format('OC %%s, IC %%s (the execution says %%s, %%s), cured %%s of %%s, paid below %%s', r.all_oc_tests_pass,
              r.all_ic_tests_pass, r.oc_test_pass, r.ic_test_pass, p.cured, p.to_cure, p.junior) AS reason
FROM run AS r JOIN paid AS p USING (execution_id)
WHERE r.test_result_id IS NULL
   OR r.oc_test_pass IS DISTINCT FROM r.all_oc_tests_pass OR r.ic_test_pass IS DISTINCT FROM r.all_ic_tests_pass
   OR (p.junior > 0.01 AND (NOT r.all_ic_tests_pass
                            OR (NOT r.all_oc_tests_pass AND (p.to_cure = 0 OR p.cured < p.to_cure - 0.01))))
ORDER BY 1
LIMIT %(limit)s
