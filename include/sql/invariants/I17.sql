-- purpose: Par and principal cash cover the most senior class at least once
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on account_balances, clo_tranches, deal_assets
-- access: read-only
-- severity: error
-- kind: recompute
WITH cash AS (
    SELECT DISTINCT ON (deal_id) deal_id, ending_balance
    FROM account_balances WHERE account_type = 'PRINCIPAL_COLLECTION'
    ORDER BY deal_id, balance_date DESC, balance_id DESC
), pool AS (
    SELECT deal_id, sum(par_amount) AS par FROM deal_assets WHERE position_status = 'ACTIVE' GROUP BY deal_id
), senior AS (
    SELECT DISTINCT ON (deal_id) deal_id, tranche_id, current_balance
    FROM clo_tranches ORDER BY deal_id, seniority_level
)
SELECT s.tranche_id AS key,
       format('par %%s and cash %%s against %%s', coalesce(p.par, 0), coalesce(c.ending_balance, 0), s.current_balance)
           AS reason
FROM senior AS s LEFT JOIN pool AS p USING (deal_id) LEFT JOIN cash AS c USING (deal_id)
WHERE s.current_balance > 0 AND coalesce(p.par, 0) + coalesce(c.ending_balance, 0) < s.current_balance
ORDER BY 1
LIMIT %(limit)s
