-- purpose: What the CCC excess costs the OC numerator is par above the limit of the worst prices, and nothing below it
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on account_balances, assets, clo_deals, clo_tranches, coverage_test_results, deal_assets, liabilities, liability_cash_flows, payment_schedules, rating_scales
-- access: read-only
-- severity: critical
-- kind: recompute
-- The haircut is not stored by itself. It is what the stored class A ratio's numerator falls short of the pool carried
-- without one.
WITH last AS (
    SELECT DISTINCT ON (deal_id) * FROM coverage_test_results ORDER BY deal_id, test_date DESC, test_result_id DESC
), position AS (
    SELECT p.deal_id, p.blkrock_id, p.position_status, p.par_amount AS par, a.market_value / 100 AS price,
           a.mdy_recovery_rate AS recovery, s.rating_numeric >= 17 AS ccc,
           least(CASE WHEN p.purchase_price < 80 THEN p.purchase_price / 100 ELSE 1 END,
                 CASE WHEN a.maturity > d.maturity_date THEN 0.7 ELSE 1 END) AS treatment
    FROM deal_assets AS p JOIN assets AS a USING (blkrock_id) JOIN clo_deals AS d USING (deal_id)
    LEFT JOIN rating_scales AS s ON s.agency = 'Moody''s' AND s.rating_symbol = a.mdy_rating
    WHERE p.position_status IN ('ACTIVE', 'DEFAULTED')
), excess AS (
    SELECT deal_id, greatest(0, coalesce(sum(par) FILTER (WHERE ccc), 0) - trunc(sum(par) * 0.075, 2)) AS par
    FROM position WHERE position_status = 'ACTIVE' GROUP BY deal_id
), worst AS (
    SELECT q.*, least(q.par, greatest(0, e.par - coalesce(sum(q.par) OVER (
               PARTITION BY q.deal_id ORDER BY q.price, q.blkrock_id
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0))) AS over_limit
    FROM position AS q JOIN excess AS e USING (deal_id) WHERE q.position_status = 'ACTIVE' AND q.ccc
), haircut AS (
    SELECT deal_id, sum(over_limit) AS excess, sum(over_limit * (treatment - least(treatment, price))) AS amount
    FROM worst GROUP BY deal_id
), carried (deal_id, amount) AS (
    SELECT deal_id, par * CASE position_status WHEN 'ACTIVE' THEN treatment ELSE least(recovery, price) END FROM position
    UNION ALL
    SELECT b.deal_id, b.ending_balance FROM account_balances AS b JOIN last AS l
      ON l.deal_id = b.deal_id AND l.test_date = b.balance_date WHERE b.account_type = 'PRINCIPAL_COLLECTION'
), plain AS (
    SELECT deal_id, sum(amount) AS principal FROM carried GROUP BY deal_id
), owed AS (
    SELECT l.deal_id, i.tranche_name,
           sum(f.beginning_balance + f.deferred_beginning_balance)
               OVER (PARTITION BY l.deal_id ORDER BY t.seniority_level) AS notes
    FROM last AS l JOIN payment_schedules AS s ON s.deal_id = l.deal_id AND s.collection_period_end = l.test_date
    JOIN liabilities AS i ON i.deal_id = l.deal_id
    JOIN clo_tranches AS t ON t.deal_id = i.deal_id AND t.tranche_name = i.tranche_name
    JOIN liability_cash_flows AS f ON f.liability_id = i.liability_id AND f.payment_date = s.payment_date
)
SELECT l.deal_id || ' ' || l.test_date AS key,
       format('CCC excess %%s, haircut %%s, the stored ratio holds %%s', coalesce(h.excess, 0),
              round(coalesce(h.amount, 0), 2), round(p.principal - l.class_a_oc_ratio * o.notes, 2)) AS reason
FROM last AS l JOIN plain AS p USING (deal_id) LEFT JOIN haircut AS h USING (deal_id)
JOIN owed AS o ON o.deal_id = l.deal_id AND o.tranche_name = 'A'
WHERE abs(p.principal - l.class_a_oc_ratio * o.notes - coalesce(h.amount, 0)) > 1e-6 * o.notes
ORDER BY 1
LIMIT %(limit)s
