-- purpose: The tables that are never changed again have the rows that were migrated
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on industry_classifications, migration_metadata, rating_scales, simulation_scenarios, waterfall_structures
-- access: read-only
-- severity: error
-- kind: cross-table
WITH held (table_name, rows) AS (
    SELECT 'industry_classifications', count(*) FROM industry_classifications
    UNION ALL
    SELECT 'rating_scales', count(*) FROM rating_scales
    UNION ALL
    SELECT 'simulation_scenarios', count(*) FROM simulation_scenarios
    UNION ALL
    SELECT 'waterfall_structures', count(*) FROM waterfall_structures
)
SELECT coalesce(m.table_name, h.table_name) AS key,
       format('migrated %%s, there are %%s', coalesce(m.rows_migrated::text, 'nothing on record'),
              coalesce(h.rows::text, 'a table nobody counts')) AS reason
FROM migration_metadata AS m FULL JOIN held AS h USING (table_name)
WHERE m.rows_migrated IS DISTINCT FROM h.rows
ORDER BY 1
LIMIT %(limit)s
