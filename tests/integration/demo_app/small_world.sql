-- Two deals with thirty loans each, four roles and one user whom nobody can log in as.
INSERT INTO app_roles (role_name, description)
VALUES ('admin', 'everything'), ('manager', 'all jobs'), ('analyst', 'own jobs'), ('viewer', 'looks');
INSERT INTO app_users (username, full_name, email) VALUES ('nobody', 'No Body', 'nobody@clo.test');
INSERT INTO rating_scales (agency, rating_symbol, rating_numeric, warf_factor)
VALUES ('Moody''s', 'B1', 14, 2220), ('Moody''s', 'B2', 15, 2720), ('S&P', 'B', 15, NULL);
INSERT INTO clo_deals (deal_id, deal_name, manager_name, maturity_date, target_par_amount, deal_status)
VALUES ('DEAL-1', 'First <b>CLO</b>', 'Ann', '2036-01-15', 31000000, 'ACTIVE'),
       ('DEAL-2', '=2+3', 'Bob', '2037-01-15', 30000000, 'ACTIVE'),
       ('EMPTY', 'Nothing bought', 'Cid', '2038-01-15', 1000000, 'RAMP_UP');
INSERT INTO assets
    (blkrock_id, issue_name, issuer_id, issuer_name, currency, par_amount, coupon, cpn_spread, mdy_rating, mdy_recovery_rate, maturity)
SELECT 'A' || n, 'Loan ' || n, 'I' || n, 'Issuer ' || n, 'USD', 1000000, 0.075, 0.03 + n % 2 * 0.01, CASE n % 2 WHEN 0 THEN 'B1' ELSE 'B2' END, 0.45,
       date '2031-01-15'
FROM generate_series(1, 60) AS n;
INSERT INTO deal_assets (deal_id, blkrock_id, par_amount, purchase_price, purchase_date, position_status)
SELECT 'DEAL-' || 1 + (n - 1) / 30, 'A' || n, 1000000, 99.5, date '2025-01-15', 'ACTIVE'
FROM generate_series(1, 60) AS n;
INSERT INTO clo_tranches
    (tranche_id, deal_id, tranche_name, initial_balance, current_balance, coupon_type, margin, seniority_level, payment_rank)
VALUES ('T1A', 'DEAL-1', 'A', 20000000, 20000000, 'FLOAT', 0.013, 1, 1), ('T1B', 'DEAL-1', 'B', 4000000, 4000000, 'FLOAT', 0.02, 2, 2),
       ('T1E', 'DEAL-1', 'EQ', 3000000, 3000000, 'RESIDUAL', NULL, 3, 3);
