-- purpose: Accrual periods join, and payment dates follow the business-day convention and the calendar
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on asset_cash_flows, assets, holidays
-- access: read-only
-- severity: error
-- kind: temporal
WITH flow AS (
    SELECT f.blkrock_id, f.period_number, f.payment_date, f.accrual_start_date, f.accrual_end_date,
           a.business_day_conv, lag(f.accrual_end_date) OVER (PARTITION BY blkrock_id ORDER BY f.period_number) AS before
    FROM asset_cash_flows AS f JOIN assets AS a USING (blkrock_id)
), span AS (
    SELECT min(accrual_end_date) - 20 AS first, max(accrual_end_date) + 20 AS last FROM asset_cash_flows
), calendar AS (
    SELECT g.day::date AS day,
           CASE WHEN extract(isodow FROM g.day) < 6 AND h.holiday_date IS NULL THEN g.day::date END AS business
    FROM span CROSS JOIN LATERAL generate_series(span.first, span.last, interval '1 day') AS g (day)
    LEFT JOIN holidays AS h ON h.holiday_date = g.day::date AND h.country_code = 'US'
), adjusted AS (
    SELECT day, min(business) OVER (ORDER BY day ROWS BETWEEN CURRENT ROW AND 15 FOLLOWING) AS following,
           max(business) OVER (ORDER BY day ROWS BETWEEN 15 PRECEDING AND CURRENT ROW) AS preceding
    FROM calendar
), due AS (  -- of each day once, however many periods end on it; DISTINCT tells the planner so
    SELECT DISTINCT ON (day) day, following,
           CASE WHEN date_trunc('month', following) <> date_trunc('month', day) THEN preceding ELSE following
           END AS modified
    FROM adjusted ORDER BY day
)
SELECT blkrock_id || ' period ' || period_number AS key,
       format('accrues %%s to %%s after %%s, paid %%s, due %%s', accrual_start_date, accrual_end_date,
              coalesce(before::text, 'nothing'), payment_date,
              CASE business_day_conv WHEN 'MODIFIED FOLLOWING' THEN due.modified ELSE due.following END) AS reason
FROM flow JOIN due ON due.day = flow.accrual_end_date
WHERE accrual_start_date <> before OR accrual_end_date <= accrual_start_date
   OR payment_date <> CASE business_day_conv WHEN 'MODIFIED FOLLOWING' THEN due.modified ELSE due.following END
ORDER BY blkrock_id, period_number
LIMIT %(limit)s
