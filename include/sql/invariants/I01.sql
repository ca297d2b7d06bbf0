-- purpose: No row refers to one that is not there, declared as a foreign key or not, and every constraint is validated
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on account_balances, account_transactions, asset_cash_flows, asset_history, asset_pricing, assets, clo_deals, clo_tranches, collateral_pools, compliance_test_results, compliance_tests, coverage_test_results, deal_accounts, deal_assets, industry_classifications, liabilities, liability_cash_flows, mag_performance_metrics, mag_waterfall_configurations, payment_schedules, pg_constraint, simulation_results, simulation_scenarios, tranche_mappings, waterfall_configurations, waterfall_executions, waterfall_payments, yield_curve_points, yield_curves
-- access: read-only
-- severity: critical
-- kind: cross-table
WITH orphan (relation, key, missing) AS (
    SELECT 'yield_curve_points', p.point_id::text, 'curve ' || p.curve_id
    FROM yield_curve_points AS p LEFT JOIN yield_curves AS c USING (curve_id) WHERE c.curve_id IS NULL
    UNION ALL
    SELECT 'industry_classifications', i.industry_id::text, 'parent ' || i.parent_industry_id
    FROM industry_classifications AS i LEFT JOIN industry_classifications AS p ON p.industry_id = i.parent_industry_id
    WHERE i.parent_industry_id IS NOT NULL AND p.industry_id IS NULL
    UNION ALL
    SELECT 'deal_assets', a.deal_id || '/' || a.blkrock_id, 'deal' FROM deal_assets AS a
    LEFT JOIN clo_deals AS d USING (deal_id) WHERE d.deal_id IS NULL
    UNION ALL
    SELECT 'deal_assets', a.deal_id || '/' || a.blkrock_id, 'asset' FROM deal_assets AS a
    LEFT JOIN assets AS s USING (blkrock_id) WHERE s.blkrock_id IS NULL
    UNION ALL
    SELECT 'asset_cash_flows', f.id::text, 'asset ' || f.blkrock_id FROM asset_cash_flows AS f
    LEFT JOIN assets AS s USING (blkrock_id) WHERE s.blkrock_id IS NULL
    UNION ALL
    SELECT 'asset_pricing', p.pricing_id::text, 'asset ' || p.blkrock_id FROM asset_pricing AS p
    LEFT JOIN assets AS s USING (blkrock_id) WHERE s.blkrock_id IS NULL
    UNION ALL
    SELECT 'asset_history', h.id::text, 'asset ' || h.blkrock_id FROM asset_history AS h
    LEFT JOIN assets AS s USING (blkrock_id) WHERE s.blkrock_id IS NULL
    UNION ALL
    SELECT 'clo_tranches', t.tranche_id, 'deal ' || t.deal_id FROM clo_tranches AS t
    LEFT JOIN clo_deals AS d USING (deal_id) WHERE d.deal_id IS NULL
    UNION ALL
    SELECT 'liabilities', l.liability_id::text, 'deal ' || l.deal_id FROM liabilities AS l
    LEFT JOIN clo_deals AS d USING (deal_id) WHERE d.deal_id IS NULL
    UNION ALL
    SELECT 'liability_cash_flows', f.id::text, 'liability ' || f.liability_id FROM liability_cash_flows AS f
    LEFT JOIN liabilities AS l USING (liability_id) WHERE l.liability_id IS NULL
    UNION ALL
    SELECT 'tranche_mappings', m.mapping_id::text, 'tranche ' || m.tranche_id FROM tranche_mappings AS m
    LEFT JOIN clo_tranches AS t USING (tranche_id, deal_id) WHERE t.tranche_id IS NULL
    UNION ALL
    SELECT 'payment_schedules', p.schedule_id::text, 'deal ' || p.deal_id FROM payment_schedules AS p
    LEFT JOIN clo_deals AS d USING (deal_id) WHERE d.deal_id IS NULL
    UNION ALL
    SELECT 'waterfall_configurations', c.config_id::text, 'deal ' || c.deal_id FROM waterfall_configurations AS c
    LEFT JOIN clo_deals AS d USING (deal_id) WHERE d.deal_id IS NULL
    UNION ALL
    SELECT 'mag_waterfall_configurations', c.config_id::text, 'deal ' || c.deal_id
    FROM mag_waterfall_configurations AS c LEFT JOIN clo_deals AS d USING (deal_id) WHERE d.deal_id IS NULL
    UNION ALL
    SELECT 'waterfall_executions', e.execution_id::text, 'configuration ' || e.config_id || ' of its deal'
    FROM waterfall_executions AS e LEFT JOIN waterfall_configurations AS c USING (config_id, deal_id)
    WHERE c.config_id IS NULL
    UNION ALL
    SELECT 'waterfall_payments', p.payment_id::text, 'execution ' || p.execution_id FROM waterfall_payments AS p
    LEFT JOIN waterfall_executions AS e USING (execution_id) WHERE e.execution_id IS NULL
    UNION ALL
    SELECT 'account_balances', b.balance_id::text, 'deal ' || b.deal_id FROM account_balances AS b
    LEFT JOIN clo_deals AS d USING (deal_id) WHERE d.deal_id IS NULL
    UNION ALL
    SELECT 'coverage_test_results', r.test_result_id::text, 'deal ' || r.deal_id FROM coverage_test_results AS r
    LEFT JOIN clo_deals AS d USING (deal_id) WHERE d.deal_id IS NULL
    UNION ALL
    SELECT 'compliance_test_results', r.result_id::text, 'deal ' || r.deal_id || ' or test ' || r.test_id
    FROM compliance_test_results AS r LEFT JOIN clo_deals AS d USING (deal_id)
    LEFT JOIN compliance_tests AS t USING (test_id) WHERE d.deal_id IS NULL OR t.test_id IS NULL
    UNION ALL
    SELECT 'mag_performance_metrics', m.metric_id::text, 'deal ' || m.deal_id FROM mag_performance_metrics AS m
    LEFT JOIN clo_deals AS d USING (deal_id) WHERE d.deal_id IS NULL
    UNION ALL
    SELECT 'simulation_results', r.result_id::text, 'scenario ' || r.scenario_id FROM simulation_results AS r
    LEFT JOIN simulation_scenarios AS s USING (scenario_id) WHERE s.scenario_id IS NULL
    UNION ALL
    SELECT 'simulation_results', r.result_id::text, 'tranche ' || r.tranche_id || ' of its deal'
    FROM simulation_results AS r LEFT JOIN clo_tranches AS t USING (tranche_id, deal_id)
    WHERE r.tranche_id IS NOT NULL AND t.tranche_id IS NULL
    UNION ALL
    SELECT 'deal_accounts', a.account_id::text, 'deal ' || a.deal_id FROM deal_accounts AS a
    LEFT JOIN clo_deals AS d USING (deal_id) WHERE d.deal_id IS NULL
    UNION ALL
    SELECT 'account_transactions', x.transaction_id::text, 'account ' || x.account_id FROM account_transactions AS x
    LEFT JOIN deal_accounts AS a USING (account_id) WHERE a.account_id IS NULL
    UNION ALL
    SELECT 'collateral_pools', c.pool_id::text, 'deal ' || c.deal_id FROM collateral_pools AS c
    LEFT JOIN clo_deals AS d USING (deal_id) WHERE d.deal_id IS NULL
    UNION ALL
    SELECT 'pg_constraint', c.conrelid::regclass || '.' || c.conname, 'not validated'
    FROM pg_constraint AS c WHERE NOT c.convalidated AND c.connamespace = 'public'::regnamespace
)
SELECT relation || ' ' || key AS key, CASE relation WHEN 'pg_constraint' THEN missing ELSE 'no ' || missing END AS reason
FROM orphan
ORDER BY 1
LIMIT %(limit)s
