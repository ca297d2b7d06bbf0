-- purpose: how many portfolios the application must list
-- procedure: M3-06
-- columns: portfolios bigint
-- privilege: select on clo_deals
-- access: read-only
select count(*) as portfolios from clo_deals
