-- purpose: Every period of an asset begins where the one before ended, and ends with what moved
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on asset_cash_flows
-- access: read-only
-- severity: critical
-- kind: recompute
WITH flow AS (
    SELECT blkrock_id, period_number, beginning_balance, ending_balance, scheduled_principal, unscheduled_principal,
           default_amount, purchases, sales, lag(period_number) OVER w AS before_number, lag(ending_balance) OVER w AS before_ending
    FROM asset_cash_flows WINDOW w AS (PARTITION BY blkrock_id ORDER BY period_number)
)
SELECT blkrock_id || ' period ' || period_number AS key,
       format('begins %%s after %%s, ends %%s, recomputed %%s', beginning_balance,
              coalesce(before_ending::text, 'nothing'), ending_balance,
              beginning_balance - scheduled_principal - unscheduled_principal - default_amount + purchases - sales)
           AS reason
FROM flow
WHERE abs(beginning_balance - scheduled_principal - unscheduled_principal - default_amount + purchases - sales
          - ending_balance) > 0.01
   OR abs(beginning_balance - before_ending) > 0.01
   OR period_number <> coalesce(before_number + 1, 1)
ORDER BY blkrock_id, period_number
LIMIT %(limit)s
