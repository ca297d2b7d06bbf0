-- purpose: An account ends with what moved, never below zero, and begins where it ended
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on account_balances
-- access: read-only
-- severity: critical
-- kind: recompute
WITH movement AS (
    SELECT *, lag(ending_balance) OVER (PARTITION BY deal_id, account_name ORDER BY balance_date, balance_id) AS before
    FROM account_balances
)
SELECT deal_id || ' ' || account_name || ' ' || balance_date AS key,
       format('begins %%s after %%s, deposits %%s, withdrawals %%s, ends %%s', beginning_balance,
              coalesce(before::text, 'nothing'), deposits, withdrawals, ending_balance) AS reason
FROM movement
WHERE abs(beginning_balance + deposits - withdrawals - ending_balance) > 0.01
   OR ending_balance < 0 OR abs(beginning_balance - coalesce(before, 0)) > 0.01
ORDER BY 1
LIMIT %(limit)s
