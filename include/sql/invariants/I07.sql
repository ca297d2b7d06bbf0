-- purpose: One curve per name and date, tenors ascending, rates plausible, no gap above five business days, no ceased index in use
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on assets, holidays, yield_curve_points, yield_curves
-- access: read-only
-- severity: error
-- kind: temporal
WITH curve AS (
    SELECT curve_id, curve_name, curve_date,
           lag(curve_date) OVER (PARTITION BY curve_name ORDER BY curve_date) AS before
    FROM yield_curves
), point AS (
    SELECT point_id, curve_id, tenor_months, rate,
           lag(tenor_months) OVER (PARTITION BY curve_id ORDER BY point_id) AS before
    FROM yield_curve_points
), fault (key, reason) AS (
    SELECT curve_name || ' ' || curve_date, format('%%s curves', count(*))
    FROM yield_curves GROUP BY curve_name, curve_date HAVING count(*) > 1
    UNION ALL
    SELECT 'point ' || point_id, format('tenor %%s after %%s', tenor_months, before)
    FROM point WHERE tenor_months <= before
    UNION ALL
    SELECT 'point ' || point_id, format('rate %%s, allowed -0.02 to 0.25', rate)
    FROM point WHERE rate NOT BETWEEN -0.02 AND 0.25
    UNION ALL
    SELECT curve_name || ' ' || curve_date, format('no curve since %%s', before)
    FROM curve
    WHERE curve_date - before > 7
      AND (SELECT count(*) FROM generate_series(before + 1, curve_date - 1, interval '1 day') AS g (day)
           WHERE extract(isodow FROM g.day) < 6
             AND NOT EXISTS (SELECT FROM holidays AS h WHERE h.holiday_date = g.day::date AND h.country_code = 'US')) > 5
    UNION ALL
    SELECT blkrock_id, format('floats on %%s, which ceased on 2023-06-30', index_name)
    FROM assets
    WHERE index_name ILIKE '%%LIBOR%%' AND par_amount > 0 AND %(at)s::timestamptz > '2023-06-30'
)
SELECT key, reason FROM fault ORDER BY 1, 2 LIMIT %(limit)s
