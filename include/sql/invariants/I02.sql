-- purpose: Each agency's scale has 21 symbols in an unbroken order, and Moody's rating factors are the published ones
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on rating_scales
-- access: read-only
-- severity: critical
-- kind: cross-row
WITH published AS (
    SELECT factor, rank FROM unnest(ARRAY[1, 10, 20, 40, 70, 120, 180, 260, 360, 610, 940, 1350, 1766, 2220, 2720, 3490,
        4770, 6500, 8070, 10000, 10000]) WITH ORDINALITY AS t (factor, rank)
), ordered AS (
    SELECT agency, rating_symbol, rating_numeric, warf_factor,
           lag(warf_factor) OVER (PARTITION BY agency ORDER BY rating_numeric) AS before
    FROM rating_scales
), fault (key, reason) AS (
    SELECT agency, format('%%s symbols, ranks %%s to %%s, %%s different; expected 21, 1 to 21, 21',
                          count(*), min(rating_numeric), max(rating_numeric), count(DISTINCT rating_numeric))
    FROM rating_scales GROUP BY agency
    HAVING count(*) <> 21 OR count(DISTINCT rating_numeric) <> 21 OR min(rating_numeric) <> 1 OR max(rating_numeric) <> 21
    UNION ALL
    SELECT agency || ' ' || rating_symbol, format('factor %%s after %%s', warf_factor, before)
    FROM ordered WHERE warf_factor < before
    UNION ALL
    SELECT s.agency || ' ' || s.rating_symbol, format('factor %%s, published %%s', s.warf_factor, p.factor)
    FROM rating_scales AS s JOIN published AS p ON p.rank = s.rating_numeric
    WHERE s.agency = 'Moody''s' AND s.warf_factor IS DISTINCT FROM p.factor
)
SELECT key, reason FROM fault ORDER BY 1, 2 LIMIT %(limit)s
