-- purpose: A deal's dates are in the order in which a deal lives
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on clo_deals
-- access: read-only
-- severity: error
-- kind: row
SELECT deal_id AS key,
       format('pricing %%s, closing %%s, effective %%s, first payment %%s, no-call %%s, reinvestment end %%s, maturity %%s',
              pricing_date, closing_date, effective_date, first_payment_date, no_call_date, reinvestment_end_date,
              maturity_date) AS reason
FROM clo_deals
WHERE pricing_date > closing_date OR closing_date > effective_date OR effective_date > first_payment_date
   OR first_payment_date >= maturity_date OR no_call_date > maturity_date OR reinvestment_end_date > maturity_date
ORDER BY 1
LIMIT %(limit)s
