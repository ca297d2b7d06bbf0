-- purpose: Currencies are ISO 4217 codes of the markets CLOs are made in, and, there being no exchange rates, those of the accounts
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on account_balances, assets, deal_assets
-- access: read-only
-- severity: error
-- kind: cross-table
WITH used (key, deal_id, currency) AS (
    SELECT 'account ' || balance_id, deal_id, currency FROM account_balances
    UNION ALL
    SELECT 'asset ' || a.blkrock_id, p.deal_id, a.currency FROM assets AS a JOIN deal_assets AS p USING (blkrock_id)
), base AS (
    SELECT deal_id, mode() WITHIN GROUP (ORDER BY currency) AS currency FROM account_balances GROUP BY deal_id
)
SELECT u.key, format('currency %%s, the accounts of %%s are kept in %%s', u.currency, u.deal_id, b.currency) AS reason
FROM used AS u LEFT JOIN base AS b USING (deal_id)
WHERE u.currency NOT IN ('USD', 'EUR', 'GBP', 'CAD', 'CHF', 'JPY', 'AUD', 'SEK', 'NOK', 'DKK')
   OR u.currency <> b.currency
ORDER BY 1, 2
LIMIT %(limit)s
