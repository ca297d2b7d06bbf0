-- purpose: Tranches and liabilities are the same classes with the same balances
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on clo_tranches, liabilities
-- access: read-only
-- severity: critical
-- kind: cross-table
SELECT coalesce(t.tranche_id, l.deal_id || '-' || l.tranche_name) AS key,
       CASE
           WHEN t.tranche_id IS NULL THEN 'a liability without a tranche'
           WHEN l.liability_id IS NULL THEN 'a tranche without a liability'
           ELSE format('initial %%s and %%s, current %%s and %%s', t.initial_balance, l.original_balance,
                       t.current_balance, l.current_balance)
       END AS reason
FROM clo_tranches AS t FULL JOIN liabilities AS l USING (deal_id, tranche_name)
WHERE t.tranche_id IS NULL OR l.liability_id IS NULL
   OR abs(t.initial_balance - l.original_balance) > 0.01 OR abs(t.current_balance - l.current_balance) > 0.01
ORDER BY 1
LIMIT %(limit)s
