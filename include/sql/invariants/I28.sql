-- purpose: An issuer has one name and one industry of each agency, and a name one issuer
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on assets
-- access: read-only
-- severity: error
-- kind: cross-row
WITH fault (key, reason) AS (
    SELECT issuer_id, format('%%s names, %%s Moody''s and %%s S&P industries', count(DISTINCT issuer_name),
                             count(DISTINCT mdy_industry), count(DISTINCT sp_industry))
    FROM assets GROUP BY issuer_id
    HAVING count(DISTINCT issuer_name) > 1 OR count(DISTINCT mdy_industry) > 1 OR count(DISTINCT sp_industry) > 1
    UNION ALL
    SELECT min(issuer_id), format('shares its name with %%s others', count(DISTINCT issuer_id) - 1)
    FROM assets GROUP BY issuer_name HAVING count(DISTINCT issuer_id) > 1
)
SELECT key, reason FROM fault ORDER BY 1, 2 LIMIT %(limit)s
