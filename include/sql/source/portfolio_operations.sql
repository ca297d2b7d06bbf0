-- purpose: what was done with portfolios in [since, until), and how many it touched; what has a date only, by the day `until` falls on
-- procedure: ED-02
-- columns: operation text, times bigint, touched bigint
-- privilege: select on waterfall_executions, coverage_test_results, compliance_test_results, deal_assets, payment_schedules, audit_logs
-- access: read-only
with day as (
    select (%(since)s::timestamptz at time zone 'UTC')::date as since, (%(until)s::timestamptz at time zone 'UTC')::date as until
), done (place, operation, portfolio) as (
    select 1, 'waterfall executed', deal_id from waterfall_executions
     where created_at >= %(since)s::timestamptz and created_at < %(until)s::timestamptz
    union all
    select 2, 'coverage tests run', deal_id from coverage_test_results
     where created_at >= %(since)s::timestamptz and created_at < %(until)s::timestamptz
    union all
    select 3, 'compliance tests run', deal_id from compliance_test_results
     where created_at >= %(since)s::timestamptz and created_at < %(until)s::timestamptz
    union all
    select 4, 'position bought', deal_id from deal_assets, day where purchase_date > day.since and purchase_date <= day.until
    union all
    select 5, 'position sold', deal_id from deal_assets, day where sale_date > day.since and sale_date <= day.until
    union all
    select 6, 'payment made', deal_id from payment_schedules, day
     where actual_payment_date > day.since and actual_payment_date <= day.until
    union all
    select 7, 'audited: ' || action, object_id from audit_logs
     where object_type in ('deal', 'asset', 'liability', 'tranche', 'portfolio')
       and created_at >= %(since)s::timestamptz and created_at < %(until)s::timestamptz
)
select operation, count(*) as times, count(distinct portfolio) as touched
  from done
 group by place, operation
 order by place, operation
