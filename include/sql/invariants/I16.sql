-- purpose: On each day from closing every tranche has exactly one mapping
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on clo_deals, clo_tranches, tranche_mappings
-- access: read-only
-- severity: error
-- kind: temporal
WITH span AS (
    SELECT t.tranche_id, d.closing_date, m.mapping_id, m.effective_date, m.expiration_date,
           lag(m.expiration_date) OVER w AS before,
           row_number() OVER w AS place,
           row_number() OVER (PARTITION BY t.tranche_id ORDER BY m.effective_date DESC, m.mapping_id DESC) AS place_from_end
    FROM clo_tranches AS t JOIN clo_deals AS d USING (deal_id) LEFT JOIN tranche_mappings AS m USING (tranche_id)
    WINDOW w AS (PARTITION BY t.tranche_id ORDER BY m.effective_date, m.mapping_id)
)
SELECT tranche_id AS key,
       CASE
           WHEN mapping_id IS NULL THEN 'no mapping'
           WHEN place = 1 AND effective_date > closing_date THEN format('no mapping before %%s', effective_date)
           WHEN place > 1 THEN format('mapping %%s from %%s, the one before until %%s', mapping_id, effective_date,
                                      coalesce(before::text, 'further notice'))
           ELSE format('mapping %%s until %%s', mapping_id, expiration_date)
       END AS reason
FROM span
WHERE mapping_id IS NULL
   OR (place = 1 AND effective_date > closing_date)
   OR (place > 1 AND before IS DISTINCT FROM effective_date)
   OR (place_from_end = 1 AND expiration_date IS NOT NULL)
   OR expiration_date <= effective_date
ORDER BY 1, 2
LIMIT %(limit)s
