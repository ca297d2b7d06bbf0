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
), latest AS (
    SELECT a.blkrock_id, max(p.pricing_date) AS day
    FROM assets AS a LEFT JOIN asset_pricing AS p USING (blkrock_id)
    WHERE NOT coalesce((a.flags ->> 'stale_price')::boolean, false)
      AND EXISTS (SELECT FROM deal_assets AS d
                  WHERE d.blkrock_id = a.blkrock_id AND d.position_status = 'ACTIVE' AND d.par_amount > 0)
    GROUP BY a.blkrock_id
), fault (key, reason) AS (
    SELECT 'price ' || pricing_id, format('bid %%s, mid %%s, ask %%s', bid_price, mid_price, ask_price)
    FROM asset_pricing WHERE bid_price > mid_price OR mid_price > ask_price
    UNION ALL
    SELECT 'price ' || pricing_id, format('of %%s, which is to come', pricing_date)
    FROM asset_pricing WHERE pricing_date > %(at)s::timestamptz::date
    UNION ALL
    SELECT blkrock_id, format('last price %%s, ten business days ago was %%s', coalesce(day::text, 'never'),
                              (SELECT min(calendar.day) FROM calendar))
    FROM latest WHERE coalesce(day, '-infinity') < (SELECT min(calendar.day) FROM calendar)
)
SELECT key, reason FROM fault ORDER BY 1, 2 LIMIT %(limit)s
