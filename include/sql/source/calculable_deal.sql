-- purpose: a deal a calculation can be made of quickly: the one with the fewest active positions
-- procedure: M3-06
-- columns: deal_id text, positions bigint
-- privilege: select on deal_assets
-- access: read-only
select deal_id, count(*) as positions
  from deal_assets
 where position_status = 'ACTIVE' and par_amount > 0
 group by deal_id
 order by count(*), deal_id
 limit 1
