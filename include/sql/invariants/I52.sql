-- purpose: A live deal has one result per active test and determination date, and none of a day to come
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on clo_deals, compliance_test_results, compliance_tests, coverage_test_results, payment_schedules
-- access: read-only
-- severity: error
-- kind: temporal
WITH due AS (
    SELECT s.deal_id, s.collection_period_end AS test_date
    FROM payment_schedules AS s JOIN clo_deals AS d USING (deal_id)
    WHERE s.payment_status = 'COMPLETED' AND d.deal_status NOT IN ('REDEEMED', 'MATURED', 'CANCELLED')
), compliance AS (
    SELECT deal_id, test_id, test_date, count(*) AS results FROM compliance_test_results GROUP BY 1, 2, 3
), coverage AS (
    SELECT deal_id, test_date, count(*) AS results FROM coverage_test_results GROUP BY 1, 2
), fault (key, reason) AS (
    SELECT d.deal_id || ' ' || d.test_date || ' test ' || t.test_id, format('%%s results', coalesce(c.results, 0))
    FROM due AS d CROSS JOIN compliance_tests AS t LEFT JOIN compliance AS c USING (deal_id, test_id, test_date)
    WHERE t.active AND coalesce(c.results, 0) <> 1
    UNION ALL
    SELECT d.deal_id || ' ' || d.test_date || ' coverage', format('%%s results', coalesce(c.results, 0))
    FROM due AS d LEFT JOIN coverage AS c USING (deal_id, test_date) WHERE coalesce(c.results, 0) <> 1
    UNION ALL
    SELECT deal_id || ' ' || test_date || ' test ' || test_id, 'of a day to come'
    FROM compliance_test_results WHERE test_date > %(at)s::timestamptz::date
    UNION ALL
    SELECT deal_id || ' ' || test_date || ' coverage', 'of a day to come'
    FROM coverage_test_results WHERE test_date > %(at)s::timestamptz::date
)
SELECT key, reason FROM fault ORDER BY 1 LIMIT %(limit)s
