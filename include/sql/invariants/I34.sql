-- purpose: A step is paid no more than is due, and defers only interest that may be deferred
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on clo_tranches, waterfall_payments
-- access: read-only
-- severity: critical
-- kind: row
SELECT 'payment ' || p.payment_id AS key,
       format('%%s: due %%s, paid %%s, deferred %%s', p.payment_step, p.amount_due, p.amount_paid, p.amount_deferred)
           AS reason
FROM waterfall_payments AS p LEFT JOIN clo_tranches AS t ON t.tranche_id = p.target_tranche_id
WHERE p.amount_paid < 0 OR p.amount_paid > p.amount_due + 0.01
   OR p.amount_deferred < 0 OR p.amount_deferred > p.amount_due - p.amount_paid + 0.01
   OR (p.amount_deferred > 0
       AND NOT (p.payment_step LIKE '%%INTEREST' AND coalesce(t.interest_deferrable, false)))
ORDER BY p.payment_id
LIMIT %(limit)s
