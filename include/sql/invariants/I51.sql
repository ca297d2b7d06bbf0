-- purpose: A result was judged by its test's threshold, and a deal's coverage thresholds stay what they are
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on compliance_test_results, compliance_tests, coverage_test_results
-- access: read-only
-- severity: critical
-- kind: temporal
WITH fault (key, reason) AS (
    SELECT r.deal_id || ' ' || r.test_date || ' test ' || r.test_id,
           format('judged by %%s, the test says %%s', r.threshold_value, t.threshold_value)
    FROM compliance_test_results AS r JOIN compliance_tests AS t USING (test_id)
    WHERE r.threshold_value IS DISTINCT FROM t.threshold_value
    UNION ALL
    SELECT deal_id, format('%%s sets of coverage thresholds', count(DISTINCT thresholds))
    FROM (SELECT deal_id, ROW(class_a_oc_threshold, class_b_oc_threshold, class_c_oc_threshold, class_d_oc_threshold,
                              class_a_ic_threshold, class_b_ic_threshold, class_c_ic_threshold, class_d_ic_threshold)
                          AS thresholds
          FROM coverage_test_results) AS r
    GROUP BY deal_id HAVING count(DISTINCT thresholds) > 1
)
SELECT key, reason FROM fault ORDER BY 1 LIMIT %(limit)s
