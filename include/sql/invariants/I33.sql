-- purpose: No money is made or lost on a payment date, in all and of interest and principal by themselves
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on account_balances, waterfall_executions, waterfall_payments
-- access: read-only
-- severity: critical
-- kind: recompute
WITH paid AS (
    SELECT execution_id, count(*) AS steps, sum(amount_paid) AS total,
           coalesce(sum(amount_paid) FILTER (WHERE payment_priority = 'INTEREST'), 0) AS interest,
           coalesce(sum(amount_paid) FILTER (WHERE payment_priority = 'PRINCIPAL'), 0) AS principal
    FROM waterfall_payments GROUP BY execution_id
), run AS (
    SELECT e.*, coalesce(p.steps, 0) AS steps, coalesce(p.total, 0) AS total, coalesce(p.interest, 0) AS interest,
           coalesce(p.principal, 0) AS principal, e.interest_reserve_ending - e.interest_reserve_beginning AS kept,
           lag(e.remaining_cash) OVER w AS before_cash, lag(e.interest_reserve_ending) OVER w AS before_reserve
    FROM waterfall_executions AS e LEFT JOIN paid AS p USING (execution_id)
    WHERE e.execution_status = 'COMPLETED'
    WINDOW w AS (PARTITION BY e.deal_id ORDER BY e.payment_date)
), drawn AS (
    SELECT deal_id, balance_date,
           coalesce(sum(withdrawals) FILTER (WHERE account_type = 'INTEREST_COLLECTION'), 0) AS interest,
           coalesce(sum(withdrawals) FILTER (WHERE account_type = 'PRINCIPAL_COLLECTION'), 0) AS principal
    FROM account_balances GROUP BY deal_id, balance_date
), fault (key, reason) AS (
    SELECT deal_id || ' ' || payment_date, format('paid %%s, reserve %%s, remaining %%s of %%s available', total, kept,
                                                  remaining_cash, total_available)
    FROM run
    WHERE abs(total + kept + remaining_cash - total_available) > 0.01 * (1 + steps)
       OR abs(beginning_cash + collection_amount - total_available) > 0.01
    UNION ALL
    SELECT r.deal_id || ' ' || r.payment_date,
           format('interest paid %%s and reserved %%s, drawn %%s; principal paid %%s, drawn %%s', r.interest, r.kept,
                  d.interest, r.principal, d.principal)
    FROM run AS r LEFT JOIN drawn AS d ON d.deal_id = r.deal_id AND d.balance_date = r.payment_date
    WHERE d.deal_id IS NULL OR abs(r.interest + r.kept - d.interest) > 0.01 * (1 + steps)
       OR abs(r.principal - d.principal) > 0.01 * (1 + steps)
    UNION ALL
    SELECT deal_id || ' ' || payment_date,
           format('begins with cash %%s and reserve %%s after %%s and %%s', beginning_cash, interest_reserve_beginning,
                  before_cash, before_reserve)
    FROM run
    WHERE abs(beginning_cash - before_cash) > 0.01 OR abs(interest_reserve_beginning - before_reserve) > 0.01
)
SELECT key, reason FROM fault ORDER BY 1, 2 LIMIT %(limit)s
