-- purpose: Unfunded amounts are only of revolving and delayed-draw loans, within the commitment, and reserved for
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on account_balances, assets, deal_assets
-- access: read-only
-- severity: critical
-- kind: cross-table
WITH reserve AS (
    SELECT DISTINCT ON (deal_id) deal_id, ending_balance
    FROM account_balances WHERE account_type = 'UNFUNDED_RESERVE'
    ORDER BY deal_id, balance_date DESC, balance_id DESC
), owed AS (
    SELECT p.deal_id, count(*) AS positions,
           sum(a.unfunded_amount * p.par_amount / nullif(a.par_amount, 0)) AS unfunded
    FROM deal_assets AS p JOIN assets AS a USING (blkrock_id)
    WHERE p.position_status = 'ACTIVE' AND a.unfunded_amount > 0
    GROUP BY p.deal_id
), fault (key, reason) AS (
    SELECT blkrock_id, format('%%s unfunded of %%s, facility %%s', unfunded_amount, bond_loan, facility_size)
    FROM assets
    WHERE unfunded_amount < 0 OR unfunded_amount > facility_size
       OR (unfunded_amount > 0 AND bond_loan NOT IN ('REVOLVER', 'DELAYED DRAW'))
    UNION ALL
    SELECT o.deal_id, format('%%s unfunded, %%s in reserve', round(o.unfunded, 2), coalesce(r.ending_balance, 0))
    FROM owed AS o LEFT JOIN reserve AS r USING (deal_id)
    WHERE coalesce(r.ending_balance, 0) < o.unfunded - 0.01 * o.positions
)
SELECT key, reason FROM fault ORDER BY 1 LIMIT %(limit)s
