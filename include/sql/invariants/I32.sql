-- purpose: Cash is the sum of its parts, a loss what was not recovered, and no more is recovered than defaulted
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on asset_cash_flows
-- access: read-only
-- severity: error
-- kind: recompute
WITH total AS (
    SELECT blkrock_id, sum(recoveries) AS recovered, coalesce(sum(default_amount), 0) AS defaulted
    FROM asset_cash_flows WHERE recoveries IS DISTINCT FROM 0 OR default_amount IS DISTINCT FROM 0 GROUP BY blkrock_id
), fault (key, reason) AS (
    SELECT blkrock_id || ' period ' || period_number,
           format('total %%s, parts %%s; net loss %%s of %%s less %%s', total_cash_flow,
                  interest_payment + scheduled_principal + unscheduled_principal + recoveries + sales - purchases,
                  net_loss, default_amount, recoveries)
    FROM asset_cash_flows
    WHERE abs(total_cash_flow - interest_payment - scheduled_principal - unscheduled_principal - recoveries - sales
              + purchases) > 0.01
       OR abs(net_loss - default_amount + recoveries) > 0.01
    UNION ALL
    SELECT blkrock_id, format('recovered %%s of %%s', recovered, defaulted)
    FROM total WHERE recovered > defaulted + 0.01
)
SELECT key, reason FROM fault ORDER BY 1 LIMIT %(limit)s
