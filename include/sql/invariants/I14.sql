-- purpose: Interest is deferred only where the indenture allows it, and never on the most senior class
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on clo_tranches, liabilities
-- access: read-only
-- severity: critical
-- kind: row
SELECT t.tranche_id AS key,
       format('deferred %%s, pikable %%s, deferrable %%s, level %%s', l.deferred_balance, l.is_pikable,
              t.interest_deferrable, t.seniority_level) AS reason
FROM clo_tranches AS t JOIN liabilities AS l USING (deal_id, tranche_name)
WHERE (l.deferred_balance <> 0 AND NOT (l.is_pikable AND t.interest_deferrable))
   OR l.deferred_balance < 0
   OR l.is_pikable <> t.interest_deferrable
   OR (t.interest_deferrable
       AND t.seniority_level = (SELECT min(s.seniority_level) FROM clo_tranches AS s WHERE s.deal_id = t.deal_id))
ORDER BY 1
LIMIT %(limit)s
