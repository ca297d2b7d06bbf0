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
), calendar AS (
    SELECT g.day::date AS day,
           CASE WHEN extract(isodow FROM g.day) < 6 AND h.holiday_date IS NULL THEN g.day::date END AS business
    FROM generate_series((SELECT min(accrual_end_date) - 20 FROM asset_cash_flows),
                         (SELECT max(accrual_end_date) + 20 FROM asset_cash_flows), interval '1 day') AS g (day)
    LEFT JOIN holidays AS h ON h.holiday_date = g.day::date AND h.country_code = 'US'
), adjusted AS (
    SELECT day, min(business) OVER (ORDER BY day ROWS BETWEEN CURRENT ROW AND 15 FOLLOWING) AS following,
           max(business) OVER (ORDER BY day ROWS BETWEEN 15 PRECEDING AND CURRENT ROW) AS preceding
    FROM calendar
), expected AS MATERIALIZED (  -- else a small limit makes the planner try every day for every period
    SELECT flow.*, CASE
        WHEN business_day_conv = 'MODIFIED FOLLOWING'
             AND date_trunc('month', c.following) <> date_trunc('month', c.day) THEN c.preceding
        ELSE c.following
    END AS due
    FROM flow JOIN adjusted AS c ON c.day = flow.accrual_end_date
)
SELECT blkrock_id || ' period ' || period_number AS key,
       format('accrues %%s to %%s after %%s, paid %%s, due %%s', accrual_start_date, accrual_end_date,
              coalesce(before::text, 'nothing'), payment_date, due) AS reason
FROM expected
WHERE accrual_start_date <> before OR accrual_end_date <= accrual_start_date OR payment_date <> due
ORDER BY blkrock_id, period_number
LIMIT %(limit)s
