-- purpose: The rating an asset has is the last one of its history
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on asset_history, assets
-- access: read-only
-- severity: error
-- kind: temporal
WITH latest AS (
    SELECT DISTINCT ON (blkrock_id, property_name) blkrock_id, property_name, property_value, history_date
    FROM asset_history WHERE property_name IN ('mdy_rating', 'sp_rating')
    ORDER BY blkrock_id, property_name, history_date DESC, id DESC
)
SELECT a.blkrock_id || ' ' || r.property AS key,
       format('%%s, history says %%s since %%s', r.rating, coalesce(l.property_value, 'nothing'), l.history_date) AS reason
FROM assets AS a
CROSS JOIN LATERAL (VALUES ('mdy_rating', a.mdy_rating), ('sp_rating', a.sp_rating)) AS r (property, rating)
LEFT JOIN latest AS l ON l.blkrock_id = a.blkrock_id AND l.property_name = r.property
WHERE r.rating IS DISTINCT FROM l.property_value
ORDER BY 1
LIMIT %(limit)s
