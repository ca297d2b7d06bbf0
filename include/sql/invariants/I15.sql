-- purpose: The margin does not fall with subordination
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on clo_tranches
-- access: read-only
-- severity: warning
-- kind: cross-row
WITH class AS (
    SELECT tranche_id, margin, lag(margin) OVER (PARTITION BY deal_id ORDER BY seniority_level) AS before
    FROM clo_tranches WHERE margin IS NOT NULL
)
SELECT tranche_id AS key, format('margin %%s below %%s of the class before it', margin, before) AS reason
FROM class WHERE margin < before
ORDER BY 1
LIMIT %(limit)s
