-- purpose: The holiday calendar has every year in which a live deal pays
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on clo_deals, holidays, payment_schedules
-- access: read-only
-- severity: error
-- kind: temporal
WITH live AS (
    SELECT d.deal_id, min(p.payment_date) AS first, max(p.payment_date) AS last
    FROM clo_deals AS d JOIN payment_schedules AS p USING (deal_id)
    WHERE d.deal_status NOT IN ('REDEEMED', 'MATURED', 'CANCELLED')
    GROUP BY d.deal_id
), kept AS (
    SELECT extract(year FROM holiday_date)::int AS year, count(*) AS days
    FROM holidays WHERE country_code = 'US' GROUP BY 1
)
SELECT live.deal_id || ' ' || y.year AS key,
       format('%%s holidays in a year with payment dates, at least 8 expected', coalesce(kept.days, 0)) AS reason
FROM live
CROSS JOIN LATERAL generate_series(extract(year FROM live.first)::int, extract(year FROM live.last)::int) AS y (year)
LEFT JOIN kept ON kept.year = y.year
WHERE coalesce(kept.days, 0) < 8
ORDER BY 1
LIMIT %(limit)s
