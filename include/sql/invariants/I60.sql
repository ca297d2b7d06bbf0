-- purpose: The audit chain holds from its first row, or from where its receipts say that the archive ends, and each anchored day still has the rows it had
-- procedure: M3-03
-- columns: key text, reason text
-- privilege: SELECT on audit_anchor, audit_logs
-- access: read-only
-- severity: critical
-- kind: cross-table
WITH moved AS (
    SELECT coalesce(max(last_id), 0) AS last_id, coalesce(max(last_row_hash), repeat('0', 64)) AS last_row_hash
    FROM (SELECT (detail->>'last_id')::bigint AS last_id, detail->>'last_row_hash' AS last_row_hash FROM audit_logs
          WHERE object_type = 'audit_logs' AND object_id = 'moved' ORDER BY created_at DESC, id DESC LIMIT 1) AS newest
), chain AS (
    SELECT a.*, lag(a.id) OVER w AS before_id, lag(a.row_hash) OVER w AS before_hash,
           encode(sha256(convert_to(a.prev_hash || jsonb_build_array(
               a.id, to_char(a.created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), a.actor, a.action,
               a.object_type, a.object_id, a.detail)::text, 'UTF8')), 'hex') AS recomputed
    FROM audit_logs AS a WINDOW w AS (ORDER BY a.id)
), day AS (
    SELECT (created_at AT TIME ZONE 'UTC')::date AS anchor_date, count(*) AS row_count, max(id) AS last_id
    FROM audit_logs GROUP BY 1
), anchor AS (
    SELECT n.*, coalesce(lag(n.last_id) OVER (ORDER BY n.anchor_date), 0) AS before_id FROM audit_anchor AS n
), fault (key, reason) AS (
    SELECT 'audit row ' || id, CASE
               WHEN row_hash <> recomputed THEN 'is not what was written'
               WHEN before_id IS NULL THEN 'rows are missing at the beginning'
               WHEN id <> before_id + 1 THEN format('rows %%s to %%s are missing', before_id + 1, id - 1)
               ELSE 'does not continue the row before'
           END
    FROM chain CROSS JOIN (SELECT last_id AS moved_id, last_row_hash AS moved_hash FROM moved) AS m
    WHERE row_hash <> recomputed OR (id = before_id + 1 AND prev_hash <> before_hash)
       OR (id > moved_id AND coalesce(id <> before_id + 1, true) AND NOT (id = moved_id + 1 AND prev_hash = moved_hash))
    UNION ALL
    SELECT 'anchor of ' || n.anchor_date, format('%%s rows to %%s anchored, %%s to %%s found', n.row_count, n.last_id,
                                                 coalesce(d.row_count, 0), coalesce(d.last_id::text, 'none'))
    FROM anchor AS n CROSS JOIN moved AS m LEFT JOIN day AS d USING (anchor_date)
    LEFT JOIN audit_logs AS a ON a.id = n.last_id
    WHERE n.last_id > m.last_id
      AND (d.last_id IS DISTINCT FROM n.last_id OR a.row_hash IS DISTINCT FROM n.chain_hash
           OR (n.before_id >= m.last_id AND d.row_count IS DISTINCT FROM n.row_count))
)
SELECT key, reason FROM fault ORDER BY 1 LIMIT %(limit)s
