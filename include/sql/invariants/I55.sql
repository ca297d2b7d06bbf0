-- purpose: The diversity score follows from the unit-score table, and is no more than there are obligors
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on assets, compliance_test_results, compliance_tests, deal_assets
-- access: read-only
-- severity: error
-- kind: recompute
WITH last AS (
    SELECT deal_id, max(test_date) AS test_date FROM compliance_test_results GROUP BY deal_id
), test AS (
    SELECT test_id, test_formula::jsonb -> 'unit_scores' AS points FROM compliance_tests WHERE test_name = 'Diversity score'
), point AS (
    SELECT (p.point ->> 0)::numeric AS low, (p.point ->> 1)::numeric AS before,
           lead((p.point ->> 0)::numeric) OVER w AS high, lead((p.point ->> 1)::numeric) OVER w AS after
    FROM test CROSS JOIN LATERAL jsonb_array_elements(test.points) AS p (point)
    WINDOW w AS (ORDER BY (p.point ->> 0)::numeric)
), obligor AS (
    SELECT p.deal_id, a.issuer_id, min(a.mdy_industry) AS industry, sum(p.par_amount) AS par
    FROM deal_assets AS p JOIN assets AS a USING (blkrock_id)
    WHERE p.position_status = 'ACTIVE' GROUP BY p.deal_id, a.issuer_id
), unit AS (
    SELECT deal_id, industry, least(1, par / avg(par) OVER (PARTITION BY deal_id)) AS units FROM obligor
), industry AS (
    SELECT deal_id, industry, sum(units) AS units, count(*) AS obligors FROM unit GROUP BY deal_id, industry
), score AS (
    SELECT i.deal_id, sum(i.obligors) AS obligors,
           sum(p.before + CASE WHEN p.high IS NULL THEN 0
                               ELSE (i.units - p.low) * (p.after - p.before) / (p.high - p.low) END) AS score
    FROM industry AS i JOIN point AS p ON i.units >= p.low AND (p.high IS NULL OR i.units < p.high)
    GROUP BY i.deal_id
)
SELECT r.deal_id || ' ' || r.test_date AS key,
       format('score %%s, recomputed %%s, %%s obligors', r.calculated_value, round(s.score, 4), s.obligors) AS reason
FROM compliance_test_results AS r JOIN last USING (deal_id, test_date) JOIN test USING (test_id)
LEFT JOIN score AS s USING (deal_id)
WHERE s.score IS NULL OR abs(r.calculated_value - s.score) > 0.001 OR r.calculated_value > s.obligors
ORDER BY 1
LIMIT %(limit)s
