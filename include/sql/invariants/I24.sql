-- purpose: The positions in a facility are not more than the facility
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on assets, deal_assets
-- access: read-only
-- severity: error
-- kind: cross-table
SELECT a.blkrock_id AS key, format('positions %%s, facility %%s', sum(p.par_amount), a.facility_size) AS reason
FROM assets AS a JOIN deal_assets AS p USING (blkrock_id)
GROUP BY a.blkrock_id, a.facility_size
HAVING sum(p.par_amount) > a.facility_size + 0.01 * count(*)
ORDER BY 1
LIMIT %(limit)s
