-- purpose: A payment date uses what its collection period brought, and no more
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on account_balances, payment_schedules, waterfall_executions
-- access: read-only
-- severity: critical
-- kind: cross-table
WITH received AS (
    SELECT e.deal_id, e.payment_date, e.collection_amount, e.beginning_cash, s.collection_period_start,
           s.collection_period_end, coalesce(sum(b.deposits), 0) AS deposits,
           coalesce(sum(b.ending_balance) FILTER (WHERE b.balance_date = s.collection_period_end), 0) AS held
    FROM waterfall_executions AS e JOIN payment_schedules AS s USING (deal_id, payment_date)
    LEFT JOIN account_balances AS b
           ON b.deal_id = e.deal_id AND b.account_type IN ('INTEREST_COLLECTION', 'PRINCIPAL_COLLECTION')
          AND b.balance_date BETWEEN s.collection_period_start AND s.collection_period_end
    WHERE e.execution_status = 'COMPLETED'
    GROUP BY 1, 2, 3, 4, 5, 6
)
SELECT deal_id || ' ' || payment_date AS key,
       format('collections %%s, received %%s from %%s to %%s; %%s in the accounts, %%s before and collected',
              collection_amount, deposits, collection_period_start, collection_period_end, held,
              beginning_cash + collection_amount) AS reason
FROM received
WHERE abs(collection_amount - deposits) > 0.02 OR abs(held - beginning_cash - collection_amount) > 0.02
ORDER BY 1
LIMIT %(limit)s
