-- purpose: Bid, mid and ask are in order, none is of the future, and an asset without a price for ten business days says so
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on asset_pricing, assets, deal_assets, holidays
-- access: read-only
-- severity: warning
-- kind: temporal
WITH calendar AS (
    SELECT g.day::date AS day
    FROM generate_series(%(at)s::timestamptz::date - 40, %(at)s::timestamptz::date, interval '1 day') AS g (day)
    WHERE extract(isodow FROM g.day) < 6
      AND NOT EXISTS (SELECT FROM holidays AS h WHERE h.holiday_date = g.day::date AND h.country_code = 'US')
    ORDER BY 1 DESC LIMIT 11
), since AS (
    SELECT min(calendar.day) AS day FROM calendar
), odd AS MATERIALIZED (  -- the prices are by far the largest table here: read once for both faults of a single price
    SELECT pricing_id, pricing_date, bid_price, mid_price, ask_price FROM asset_pricing
    WHERE bid_price > mid_price OR mid_price > ask_price
       OR pricing_date > (SELECT %(at)s::timestamptz::date)  -- once, not for each row
), stale AS (
    SELECT a.blkrock_id, since.day AS due
    FROM assets AS a CROSS JOIN since
    WHERE NOT coalesce((a.flags ->> 'stale_price')::boolean, false) AND since.day IS NOT NULL
      AND EXISTS (SELECT FROM deal_assets AS d
                  WHERE d.blkrock_id = a.blkrock_id AND d.position_status = 'ACTIVE' AND d.par_amount > 0)
      AND NOT EXISTS (SELECT FROM asset_pricing AS p
                      WHERE p.blkrock_id = a.blkrock_id AND p.pricing_date >= since.day)
), fault (key, reason) AS (
    SELECT 'price ' || pricing_id, format('bid %%s, mid %%s, ask %%s', bid_price, mid_price, ask_price)
    FROM odd WHERE bid_price > mid_price OR mid_price > ask_price
    UNION ALL
    SELECT 'price ' || pricing_id, format('of %%s, which is to come', pricing_date)
    FROM odd WHERE pricing_date > %(at)s::timestamptz::date
    UNION ALL
    SELECT s.blkrock_id,
           format('last price %%s, ten business days ago was %%s',
                  coalesce((SELECT max(p.pricing_date)::text FROM asset_pricing AS p WHERE p.blkrock_id = s.blkrock_id),
                           'never'), s.due)
    FROM stale AS s
)
SELECT key, reason FROM fault ORDER BY 1, 2 LIMIT %(limit)s
