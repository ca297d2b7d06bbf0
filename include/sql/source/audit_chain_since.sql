-- purpose: audit rows from the last anchor before `since` on where the chain does not hold
-- procedure: WF-05
-- columns: kind text, key text, reason text
-- privilege: select on audit_logs, audit_anchor; execute on audit_verify, audit_row_hash
-- access: read-only
with start as (
    select coalesce((select last_id from audit_anchor where anchor_date < (%(since)s::timestamptz at time zone 'UTC')::date
                      order by anchor_date desc limit 1), 0) as id
)
select 'looked at' as kind, count(*)::text as key, '' as reason from audit_logs a, start s where a.id >= s.id
union all
select 'violation', 'audit row ' || v.id, v.reason from start s cross join lateral audit_verify(s.id) v
 order by 1, 2, 3
