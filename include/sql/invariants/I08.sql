-- purpose: The correlations are a whole symmetric matrix of known assets, with ones on its diagonal, and no portfolio has a negative variance
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on asset_correlations, assets
-- access: read-only
-- severity: error
-- kind: cross-table
-- The smallest eigenvalue is at least -1e-8 exactly when elimination of the matrix, 1e-8 added to its diagonal, meets
-- positive pivots only.
WITH RECURSIVE name AS (
    SELECT id, row_number() OVER (ORDER BY id)::int AS n
    FROM (SELECT asset1_id AS id FROM asset_correlations UNION SELECT asset2_id FROM asset_correlations) AS q
), size AS (
    SELECT count(*)::int AS n FROM name
), mirrored AS (
    SELECT asset1_id, asset2_id, correlation_value AS value FROM asset_correlations
    UNION ALL
    SELECT c.asset2_id, c.asset1_id, c.correlation_value FROM asset_correlations AS c
    WHERE NOT EXISTS (SELECT FROM asset_correlations AS o
                      WHERE o.asset1_id = c.asset2_id AND o.asset2_id = c.asset1_id)
), step (k, n, m) AS (
    SELECT 1, s.n, array_agg(v.value::float8 + CASE WHEN a.n = b.n THEN 1e-8 ELSE 0 END ORDER BY a.n, b.n)
    FROM mirrored AS v JOIN name AS a ON a.id = v.asset1_id JOIN name AS b ON b.id = v.asset2_id CROSS JOIN size AS s
    GROUP BY s.n HAVING count(*) = s.n * s.n
    UNION ALL
    SELECT k + 1, n, ARRAY(SELECT m[(i - 1) * n + j]
                                  - m[(i - 1) * n + k] * m[(k - 1) * n + j] / m[(k - 1) * n + k]
                           FROM generate_series(1, n) AS i, generate_series(1, n) AS j ORDER BY i, j)
    FROM step WHERE k < n AND m[(k - 1) * n + k] > 0
), fault (key, reason) AS (
    SELECT asset1_id || '/' || asset2_id, format('%%s, allowed -1 to 1', correlation_value)
    FROM asset_correlations WHERE correlation_value NOT BETWEEN -1 AND 1
    UNION ALL
    SELECT asset1_id || '/' || asset2_id, format('%%s on the diagonal', correlation_value)
    FROM asset_correlations WHERE asset1_id = asset2_id AND correlation_value <> 1
    UNION ALL
    SELECT c.asset1_id || '/' || c.asset2_id, format('%%s, the other half has %%s', c.correlation_value, o.correlation_value)
    FROM asset_correlations AS c JOIN asset_correlations AS o
      ON o.asset1_id = c.asset2_id AND o.asset2_id = c.asset1_id
    WHERE abs(c.correlation_value - o.correlation_value) > 1e-8
    UNION ALL
    SELECT n.id, 'no such asset' FROM name AS n LEFT JOIN assets AS a ON a.blkrock_id = n.id WHERE a.blkrock_id IS NULL
    UNION ALL
    SELECT 'matrix', format('%%s rows of %%s assets', count(*), s.n) FROM asset_correlations CROSS JOIN size AS s
    GROUP BY s.n HAVING count(*) NOT IN (s.n * s.n, s.n * (s.n + 1) / 2)
    UNION ALL
    SELECT 'matrix', format('not positive: pivot %%s of %%s is %%s', k, n, m[(k - 1) * n + k])
    FROM step WHERE m[(k - 1) * n + k] <= 0
)
SELECT key, reason FROM fault ORDER BY 1, 2 LIMIT %(limit)s
