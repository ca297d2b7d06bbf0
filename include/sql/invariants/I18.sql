-- purpose: Par is not negative, and every price is in percent of par, none a fraction
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on asset_pricing, assets, deal_assets
-- access: read-only
-- severity: error
-- kind: row
WITH fault (key, reason) AS (
    SELECT blkrock_id, format('par %%s', par_amount) FROM assets WHERE par_amount < 0
    UNION ALL
    SELECT deal_id || '/' || blkrock_id, format('par %%s', par_amount) FROM deal_assets WHERE par_amount < 0
    UNION ALL
    SELECT blkrock_id, format('market value %%s, allowed 2 to 200 percent', market_value)
    FROM assets WHERE market_value NOT BETWEEN 2 AND 200
    UNION ALL
    SELECT deal_id || '/' || blkrock_id, format('bought at %%s, sold at %%s, allowed 2 to 200 percent', purchase_price,
                                                sale_price)
    FROM deal_assets WHERE purchase_price NOT BETWEEN 2 AND 200 OR sale_price NOT BETWEEN 2 AND 200
    UNION ALL
    SELECT 'price ' || pricing_id, format('bid %%s, mid %%s, ask %%s, allowed 2 to 200 percent', bid_price, mid_price,
                                          ask_price)
    FROM asset_pricing
    -- In order and within both ends: what nearly every price is, seen by four comparisons instead of six.
    WHERE (2 <= bid_price AND bid_price <= mid_price AND mid_price <= ask_price AND ask_price <= 200) IS NOT TRUE
      AND (bid_price NOT BETWEEN 2 AND 200 OR mid_price NOT BETWEEN 2 AND 200 OR ask_price NOT BETWEEN 2 AND 200)
)
SELECT key, reason FROM fault ORDER BY 1, 2 LIMIT %(limit)s
