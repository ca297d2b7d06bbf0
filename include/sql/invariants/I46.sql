-- purpose: The last concentration results follow from the positions
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on assets, compliance_test_results, compliance_tests, deal_assets, rating_scales
-- access: read-only
-- severity: critical
-- kind: recompute
WITH last AS (
    SELECT deal_id, max(test_date) AS test_date FROM compliance_test_results GROUP BY deal_id
), position AS (
    SELECT p.deal_id, p.par_amount, a.issuer_id, a.seniority, a.coupon_type, a.country, a.bond_loan, a.mdy_industry,
           s.rating_numeric
    FROM deal_assets AS p JOIN assets AS a USING (blkrock_id)
    LEFT JOIN rating_scales AS s ON s.agency = 'Moody''s' AND s.rating_symbol = a.mdy_rating
    WHERE p.position_status = 'ACTIVE'
), pool AS (
    SELECT deal_id, sum(par_amount) AS par, count(*) AS positions FROM position GROUP BY deal_id
), ranked (deal_id, subject, par, place) AS (
    SELECT deal_id, 'obligor', sum(par_amount), row_number() OVER (PARTITION BY deal_id ORDER BY sum(par_amount) DESC)
    FROM position GROUP BY deal_id, issuer_id
    UNION ALL
    SELECT deal_id, 'industry', sum(par_amount), row_number() OVER (PARTITION BY deal_id ORDER BY sum(par_amount) DESC)
    FROM position GROUP BY deal_id, mdy_industry
), recomputed (deal_id, test_name, par) AS (
    SELECT p.deal_id, t.test_name, coalesce(sum(p.par_amount) FILTER (WHERE t.belongs), 0)
    FROM position AS p CROSS JOIN LATERAL (VALUES
        ('Senior secured loans', p.seniority = 'Senior Secured'), ('Second lien loans', p.seniority = 'Second Lien'),
        ('Fixed-rate assets', p.coupon_type = 'FIXED'), ('Rated Caa1 or below', p.rating_numeric >= 17),
        ('Obligors outside the United States', p.country <> 'US'),
        ('Revolving and delayed-draw', p.bond_loan IN ('REVOLVER', 'DELAYED DRAW'))
    ) AS t (test_name, belongs)
    GROUP BY p.deal_id, t.test_name
    UNION ALL
    SELECT deal_id, (ARRAY['Largest ', 'Second largest ', 'Third largest '])[place] || subject, par
    FROM ranked WHERE place <= 3
)
SELECT r.deal_id || ' ' || r.test_date || ' ' || t.test_name AS key,
       format('stored %%s / %%s, positions say %%s / %%s', r.numerator, r.denominator, c.par, p.par) AS reason
FROM compliance_test_results AS r JOIN last USING (deal_id, test_date) JOIN compliance_tests AS t USING (test_id)
JOIN pool AS p USING (deal_id)
LEFT JOIN recomputed AS c ON c.deal_id = r.deal_id AND c.test_name = t.test_name
WHERE t.test_category = 'CONCENTRATION'
  AND (c.par IS NULL OR abs(r.numerator - c.par) > 0.01 * p.positions OR abs(r.denominator - p.par) > 0.01 * p.positions)
ORDER BY 1
LIMIT %(limit)s
