-- purpose: An account closes with what it opened with and what came in, less what went out, and with the sum of its transactions
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on account_transactions, deal_accounts
-- access: read-only
-- severity: critical
-- kind: recompute
WITH moved AS (
    SELECT account_id, count(*) AS transactions, sum(amount) AS amount FROM account_transactions GROUP BY account_id
)
SELECT a.deal_id || ' ' || a.account_name AS key,
       format('opening %%s, receipts %%s + %%s + %%s, disbursements %%s, closing %%s, transactions %%s', a.opening_balance,
              a.interest_receipts, a.principal_receipts, a.other_receipts, a.disbursements, a.closing_balance,
              coalesce(m.amount, 0)) AS reason
FROM deal_accounts AS a LEFT JOIN moved AS m USING (account_id)
WHERE abs(a.opening_balance + a.interest_receipts + a.principal_receipts + a.other_receipts - a.disbursements
          - a.closing_balance) > 0.01
   OR abs(a.opening_balance + coalesce(m.amount, 0) - a.closing_balance) > 0.01 * (1 + coalesce(m.transactions, 0))
ORDER BY 1
LIMIT %(limit)s
