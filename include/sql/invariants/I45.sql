-- purpose: A stored ratio is numerator by denominator, and passes or fails as its direction says
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on compliance_test_results, compliance_tests, coverage_test_results
-- access: read-only
-- severity: critical
-- kind: row
WITH coverage AS (
    SELECT r.deal_id, r.test_date, t.name, t.ratio, t.threshold, t.passed
    FROM coverage_test_results AS r CROSS JOIN LATERAL (VALUES
        ('A OC', class_a_oc_ratio, class_a_oc_threshold, class_a_oc_pass),
        ('B OC', class_b_oc_ratio, class_b_oc_threshold, class_b_oc_pass),
        ('C OC', class_c_oc_ratio, class_c_oc_threshold, class_c_oc_pass),
        ('D OC', class_d_oc_ratio, class_d_oc_threshold, class_d_oc_pass),
        ('A IC', class_a_ic_ratio, class_a_ic_threshold, class_a_ic_pass),
        ('B IC', class_b_ic_ratio, class_b_ic_threshold, class_b_ic_pass),
        ('C IC', class_c_ic_ratio, class_c_ic_threshold, class_c_ic_pass),
        ('D IC', class_d_ic_ratio, class_d_ic_threshold, class_d_ic_pass)
    ) AS t (name, ratio, threshold, passed)
), fault (key, reason) AS (
    SELECT r.deal_id || ' ' || r.test_date || ' test ' || r.test_id,
           format('%%s / %%s stored as %%s; %%s %%s, pass %%s', r.numerator, r.denominator, r.calculated_value,
                  t.threshold_type, r.threshold_value, r.pass_fail)
    FROM compliance_test_results AS r JOIN compliance_tests AS t USING (test_id)
    WHERE (r.calculated_value IS NULL) <> (coalesce(r.denominator, 0) = 0)
       OR abs(r.calculated_value - r.numerator / nullif(r.denominator, 0)) > 1e-6
       OR r.pass_fail IS DISTINCT FROM CASE t.threshold_type
              WHEN 'MIN' THEN r.calculated_value >= r.threshold_value
              ELSE r.calculated_value <= r.threshold_value END
    UNION ALL
    SELECT deal_id || ' ' || test_date || ' class ' || name, format('%%s against %%s, pass %%s', ratio, threshold, passed)
    FROM coverage WHERE passed IS DISTINCT FROM (ratio >= threshold)
)
SELECT key, reason FROM fault ORDER BY 1 LIMIT %(limit)s
