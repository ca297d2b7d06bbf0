-- The audit trail's chain. Every row carries the hash of the row before it; the database computes both, whoever writes.
-- It makes tampering evident, it does not prevent it: the owner of the table could grant itself what is revoked below.

CREATE FUNCTION audit_row_hash(
    id bigint, created_at timestamptz, actor text, action text, object_type text, object_id text, detail jsonb,
    prev_hash text
) RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
RETURN encode(
    sha256(
        convert_to(
            prev_hash || jsonb_build_array(
                id,
                to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                actor, action, object_type, object_id, detail
            )::text,
            'UTF8'
        )
    ),
    'hex'
);

-- One writer at a time until its transaction ends, so that two cannot continue the same row. The id has no gaps
-- because it is counted here and not drawn from a sequence: a gap means that a row is gone.
CREATE FUNCTION audit_chain() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    last record;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('audit_logs'));
    SELECT a.id, a.row_hash INTO last FROM audit_logs AS a ORDER BY a.id DESC LIMIT 1;
    NEW.id := coalesce(last.id, 0) + 1;
    NEW.prev_hash := coalesce(last.row_hash, repeat('0', 64));
    NEW.row_hash := audit_row_hash(
        NEW.id, NEW.created_at, NEW.actor, NEW.action, NEW.object_type, NEW.object_id, NEW.detail, NEW.prev_hash
    );
    RETURN NEW;
END
$$;

CREATE TRIGGER audit_logs_chain BEFORE INSERT ON audit_logs FOR EACH ROW EXECUTE FUNCTION audit_chain();

-- One call for the application: SELECT audit_write('ann', 'report.created', 'report', '17', '{"rows": 12}').
CREATE FUNCTION audit_write(
    actor text, action text, object_type text DEFAULT NULL, object_id text DEFAULT NULL, detail jsonb DEFAULT '{}'
) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    INSERT INTO audit_logs (actor, action, object_type, object_id, detail)
    VALUES (audit_write.actor, audit_write.action, audit_write.object_type, audit_write.object_id, audit_write.detail)
    RETURNING id;
END;

-- Anchors every finished UTC day before `until` that has rows and no anchor yet; says how many it made.
CREATE FUNCTION audit_anchor_days(until date) RETURNS bigint LANGUAGE sql
BEGIN ATOMIC
    WITH days AS (
        SELECT (created_at AT TIME ZONE 'UTC')::date AS day, max(id) AS last_id, count(*) AS row_count
        FROM audit_logs
        WHERE created_at < (audit_anchor_days.until::timestamp AT TIME ZONE 'UTC')
          AND created_at >= coalesce(
              (SELECT ((max(anchor_date) + 1)::timestamp AT TIME ZONE 'UTC') FROM audit_anchor), '-infinity')
        GROUP BY 1
    ), made AS (
        INSERT INTO audit_anchor (anchor_date, last_id, row_count, chain_hash)
        SELECT days.day, days.last_id, days.row_count, audit_logs.row_hash
        FROM days JOIN audit_logs ON audit_logs.id = days.last_id
        RETURNING 1
    )
    SELECT count(*) FROM made;
END;

-- The rows where the chain does not hold, oldest first; none when it does.
CREATE FUNCTION audit_verify(from_id bigint DEFAULT 0) RETURNS TABLE (id bigint, reason text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH chain AS (
        SELECT a.*, lag(a.id) OVER w AS before_id, lag(a.row_hash) OVER w AS before_hash
        FROM audit_logs AS a
        WHERE a.id >= audit_verify.from_id
        WINDOW w AS (ORDER BY a.id)
    )
    SELECT chain.id,
           CASE
               WHEN chain.row_hash <> audit_row_hash(chain.id, chain.created_at, chain.actor, chain.action,
                        chain.object_type, chain.object_id, chain.detail, chain.prev_hash)
                   THEN 'the row is not what was written'
               WHEN chain.before_id IS NULL AND audit_verify.from_id <= 1
                    AND (chain.id <> 1 OR chain.prev_hash <> repeat('0', 64))
                   THEN 'the chain does not start here'
               WHEN chain.id <> chain.before_id + 1 THEN 'rows are missing before this one'
               ELSE 'does not continue the row before'
           END
    FROM chain
    WHERE chain.row_hash <> audit_row_hash(chain.id, chain.created_at, chain.actor, chain.action,
              chain.object_type, chain.object_id, chain.detail, chain.prev_hash)
       OR (chain.before_id IS NULL AND audit_verify.from_id <= 1
           AND (chain.id <> 1 OR chain.prev_hash <> repeat('0', 64)))
       OR chain.id <> chain.before_id + 1
       OR chain.prev_hash <> chain.before_hash
    ORDER BY chain.id;
END;
