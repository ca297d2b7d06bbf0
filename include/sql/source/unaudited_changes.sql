-- purpose: deals, assets, their cash flows and liabilities changed in [since, until) that the audit trail does not speak of
-- procedure: WF-05
-- columns: kind text, key text, reason text
-- privilege: select on clo_deals, assets, asset_cash_flows, liabilities, audit_logs
-- access: read-only
with changed (name, object_type, object_id, updated_at) as (
    select 'deal ' || deal_id, 'deal', deal_id, updated_at from clo_deals where updated_at > created_at
    union all
    select 'asset ' || blkrock_id, 'asset', blkrock_id, updated_at from assets where updated_at > created_at
    union all
    -- Of a cash flow the trail speaks with its asset.
    select format('cash flow %%s of asset %%s', period_number, blkrock_id), 'asset', blkrock_id, updated_at
      from asset_cash_flows where updated_at > created_at
    union all
    select format('liability %%s-%%s', deal_id, tranche_name), 'liability', deal_id || '-' || tranche_name, updated_at at time zone 'UTC'
      from liabilities where updated_at > created_at
), recent as (
    select * from changed where updated_at >= %(since)s::timestamptz and updated_at < %(until)s::timestamptz
)
select 'looked at' as kind, count(*)::text as key, '' as reason from recent
union all
select 'violation', name, format('changed %%s, no audit row', to_char(updated_at, 'YYYY-MM-DD HH24:MI:SS'))
  from recent c
 where not exists (select from audit_logs l where l.object_type = c.object_type and l.object_id = c.object_id
                      and l.created_at between c.updated_at - interval '1 minute' and c.updated_at + %(within)s::interval)
 order by 1, 2, 3
