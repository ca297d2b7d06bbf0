-- purpose: One active position per deal and asset; sold ones are empty and priced; default is said in all three places or in none
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on assets, deal_assets
-- access: read-only
-- severity: error
-- kind: cross-table
WITH fault (key, reason) AS (
    SELECT deal_id || '/' || blkrock_id, format('%%s active positions', count(*))
    FROM deal_assets WHERE position_status = 'ACTIVE' GROUP BY deal_id, blkrock_id HAVING count(*) > 1
    UNION ALL
    SELECT deal_id || '/' || blkrock_id, format('sold on %%s at %%s, par %%s', coalesce(sale_date::text, 'no day'),
                                                coalesce(sale_price::text, 'no price'), par_amount)
    FROM deal_assets
    WHERE position_status = 'SOLD' AND (sale_date IS NULL OR sale_price IS NULL OR par_amount <> 0)
    UNION ALL
    SELECT p.deal_id || '/' || p.blkrock_id,
           format('position %%s, date of default %%s, flag %%s', p.position_status,
                  coalesce(a.date_of_default::text, 'none'), a.flags ->> 'default_asset')
    FROM deal_assets AS p JOIN assets AS a USING (blkrock_id)
    WHERE p.position_status <> 'SOLD'
      AND ((p.position_status = 'DEFAULTED') <> (a.date_of_default IS NOT NULL)
           OR (a.date_of_default IS NOT NULL) <> coalesce((a.flags ->> 'default_asset')::boolean, false))
)
SELECT key, reason FROM fault ORDER BY 1, 2 LIMIT %(limit)s
