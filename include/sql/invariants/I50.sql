-- purpose: "All passed" is said when all classes passed, and principal may be used only then
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on coverage_test_results
-- access: read-only
-- severity: critical
-- kind: cross-row
SELECT deal_id || ' ' || test_date AS key,
       format('OC %%s, IC %%s, principal payments %%s', all_oc_tests_pass, all_ic_tests_pass, principal_payments_allowed)
           AS reason
FROM coverage_test_results
WHERE all_oc_tests_pass IS DISTINCT FROM (class_a_oc_pass AND class_b_oc_pass AND class_c_oc_pass AND class_d_oc_pass)
   OR all_ic_tests_pass IS DISTINCT FROM (class_a_ic_pass AND class_b_ic_pass AND class_c_ic_pass AND class_d_ic_pass)
   OR principal_payments_allowed IS DISTINCT FROM (all_oc_tests_pass AND all_ic_tests_pass)
ORDER BY 1
LIMIT %(limit)s
