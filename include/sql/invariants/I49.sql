-- purpose: Coverage does not rise with subordination, and the largest is not smaller than the second
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on compliance_test_results, compliance_tests, coverage_test_results
-- access: read-only
-- severity: critical
-- kind: cross-row
WITH place AS (
    SELECT r.deal_id, r.test_date, t.test_name, r.numerator, split_part(t.test_name, ' ', -1) AS subject,
           CASE split_part(t.test_name, ' ', 1) WHEN 'Largest' THEN 1 WHEN 'Second' THEN 2 ELSE 3 END AS place
    FROM compliance_test_results AS r JOIN compliance_tests AS t USING (test_id)
    WHERE t.test_name ~ '^(Largest|Second largest|Third largest) '
), ordered AS (
    SELECT *, lag(numerator) OVER (PARTITION BY deal_id, test_date, subject ORDER BY place) AS before FROM place
), fault (key, reason) AS (
    SELECT deal_id || ' ' || test_date || ' OC', format('A %%s, B %%s, C %%s, D %%s', class_a_oc_ratio, class_b_oc_ratio,
                                                      class_c_oc_ratio, class_d_oc_ratio)
    FROM coverage_test_results
    WHERE class_a_oc_ratio < class_b_oc_ratio OR class_b_oc_ratio < class_c_oc_ratio OR class_c_oc_ratio < class_d_oc_ratio
    UNION ALL
    SELECT deal_id || ' ' || test_date || ' IC', format('A %%s, B %%s, C %%s, D %%s', class_a_ic_ratio, class_b_ic_ratio,
                                                      class_c_ic_ratio, class_d_ic_ratio)
    FROM coverage_test_results
    WHERE class_a_ic_ratio < class_b_ic_ratio OR class_b_ic_ratio < class_c_ic_ratio OR class_c_ic_ratio < class_d_ic_ratio
    UNION ALL
    SELECT deal_id || ' ' || test_date || ' ' || test_name, format('%%s above %%s of the place before', numerator, before)
    FROM ordered WHERE numerator > before + 0.01
)
SELECT key, reason FROM fault ORDER BY 1 LIMIT %(limit)s
