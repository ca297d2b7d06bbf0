-- purpose: A rank has one rating factor, whichever agency's scale it is read from
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on rating_scales
-- access: read-only
-- severity: critical
-- kind: cross-table
SELECT s.agency || ' ' || s.rating_symbol AS key,
       format('factor %%s, Moody''s has %%s for rank %%s', s.warf_factor, m.warf_factor, s.rating_numeric) AS reason
FROM rating_scales AS s
JOIN rating_scales AS m ON m.agency = 'Moody''s' AND m.rating_numeric = s.rating_numeric
WHERE s.agency <> 'Moody''s' AND s.warf_factor IS DISTINCT FROM m.warf_factor
ORDER BY 1
LIMIT %(limit)s
