-- purpose: what the audit trail was anchored at, day by day
-- procedure: WF-05
-- columns: anchor_date date, last_id bigint, row_count bigint, chain_hash text
-- privilege: SELECT on audit_anchor
-- access: read-only
select anchor_date, last_id, row_count, chain_hash from audit_anchor order by anchor_date
