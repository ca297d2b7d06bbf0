-- purpose: Industry shares add up to the whole pool, and each is the par of its obligors
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on assets, compliance_test_results, compliance_tests, deal_assets
-- access: read-only
-- severity: error
-- kind: recompute
WITH last AS (
    SELECT deal_id, max(test_date) AS test_date FROM compliance_test_results GROUP BY deal_id
), share AS (
    SELECT r.deal_id, r.test_date, substr(t.test_name, length('Industry: ') + 1) AS industry, r.numerator,
           r.calculated_value
    FROM compliance_test_results AS r JOIN compliance_tests AS t USING (test_id)
    WHERE t.test_category = 'INDUSTRY'
), obligor AS (
    SELECT p.deal_id, a.issuer_id, min(a.mdy_industry) AS industry, sum(p.par_amount) AS par, count(*) AS positions
    FROM deal_assets AS p JOIN assets AS a USING (blkrock_id)
    WHERE p.position_status = 'ACTIVE' GROUP BY p.deal_id, a.issuer_id
), held AS (
    SELECT deal_id, industry, sum(par) AS par, sum(positions) AS positions FROM obligor GROUP BY deal_id, industry
), fault (key, reason) AS (
    SELECT deal_id || ' ' || test_date, format('shares add up to %%s', sum(calculated_value))
    FROM share GROUP BY deal_id, test_date HAVING abs(sum(calculated_value) - 1) > 1e-6
    UNION ALL
    SELECT s.deal_id || ' ' || s.test_date || ' ' || s.industry,
           format('stored %%s, obligors %%s', s.numerator, coalesce(h.par, 0))
    FROM share AS s JOIN last USING (deal_id, test_date)
    LEFT JOIN held AS h ON h.deal_id = s.deal_id AND h.industry = s.industry
    WHERE abs(s.numerator - coalesce(h.par, 0)) > 0.01 * (1 + coalesce(h.positions, 0))
)
SELECT key, reason FROM fault ORDER BY 1 LIMIT %(limit)s
