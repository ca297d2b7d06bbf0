-- purpose: payment and interest determination dates of the deals between two days, both included
-- procedure: MW-04
-- columns: day date, kind text, deals bigint
-- privilege: select on payment_schedules
-- access: read-only
select day, kind, count(distinct deal_id) as deals
  from (select payment_date as day, 'payment' as kind, deal_id from payment_schedules
        union all
        select interest_determination_date, 'determination', deal_id from payment_schedules) as dates
 where day between %(since)s and %(until)s
 group by day, kind
 order by day, kind
