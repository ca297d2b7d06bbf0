-- purpose: Every rating used is in its agency's scale, or NR or WR
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on assets, clo_tranches, rating_scales
-- access: read-only
-- severity: error
-- kind: cross-table
WITH used (key, agency, rating) AS (
    SELECT a.blkrock_id || ' ' || r.property, r.agency, r.rating
    FROM assets AS a CROSS JOIN LATERAL (VALUES
        ('mdy_rating', 'Moody''s', a.mdy_rating), ('mdy_dp_rating', 'Moody''s', a.mdy_dp_rating),
        ('mdy_dp_rating_warf', 'Moody''s', a.mdy_dp_rating_warf),
        ('mdy_facility_rating', 'Moody''s', a.mdy_facility_rating),
        ('mdy_issuer_rating', 'Moody''s', a.mdy_issuer_rating),
        ('mdy_snr_sec_rating', 'Moody''s', a.mdy_snr_sec_rating),
        ('mdy_snr_unsec_rating', 'Moody''s', a.mdy_snr_unsec_rating), ('mdy_sub_rating', 'Moody''s', a.mdy_sub_rating),
        ('mdy_credit_est_rating', 'Moody''s', a.mdy_credit_est_rating), ('sp_rating', 'S&P', a.sp_rating),
        ('sandp_facility_rating', 'S&P', a.sandp_facility_rating),
        ('sandp_issuer_rating', 'S&P', a.sandp_issuer_rating),
        ('sandp_snr_sec_rating', 'S&P', a.sandp_snr_sec_rating), ('sandp_subordinate', 'S&P', a.sandp_subordinate)
    ) AS r (property, agency, rating)
    UNION ALL
    SELECT tranche_id || ' mdy_rating', 'Moody''s', mdy_rating FROM clo_tranches
    UNION ALL
    SELECT tranche_id || ' sp_rating', 'S&P', sp_rating FROM clo_tranches
)
SELECT u.key, format('%%s is not in the scale of %%s', u.rating, u.agency) AS reason
FROM used AS u LEFT JOIN rating_scales AS s ON s.agency = u.agency AND s.rating_symbol = u.rating
WHERE u.rating NOT IN ('NR', 'WR') AND s.rating_symbol IS NULL
ORDER BY 1
LIMIT %(limit)s
