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

-- The newest receipt of rows that left for the archive (object 'moved' of audit_logs); none where none ever left. Rows
-- leave from the front without a gap, so it speaks for all before it.
CREATE FUNCTION audit_moved() RETURNS TABLE (number bigint, last_id bigint, last_row_hash text, receipt_hash text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    SELECT (detail->>'number')::bigint, (detail->>'last_id')::bigint, detail->>'last_row_hash', detail->>'receipt_hash'
    FROM audit_logs
    WHERE object_type = 'audit_logs' AND object_id = 'moved'
    ORDER BY created_at DESC, id DESC
    LIMIT 1;
END;

-- Says, as a row of the chain itself, that rows up to last_id leave for the archive: which file holds them and between
-- which hashes they stood. Each receipt carries the hash of the one before. Nothing is deleted here, and nothing may be
-- deleted before it. Called again with the same file it gives the receipt there is.
CREATE FUNCTION audit_receipt(
    first_id bigint, last_id bigint, row_count bigint, first_prev_hash text, last_row_hash text,
    archive text, manifest_sha256 text,
    OUT number bigint, OUT audit_id bigint, OUT previous text, OUT receipt_hash text, OUT written_at timestamptz
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    before record;
    known record;
    following bigint;
BEGIN
    IF NOT pg_has_role(session_user, 'clo_ops_retention', 'member') THEN
        RAISE insufficient_privilege USING MESSAGE = format('%s may not write receipts of retention', session_user);
    END IF;
    PERFORM pg_advisory_xact_lock(hashtext('audit_logs'));
    SELECT a.id, a.created_at, a.detail INTO known FROM audit_logs AS a
    WHERE a.object_type = 'audit_logs' AND a.object_id = 'moved'
      AND a.detail->>'manifest_sha256' = audit_receipt.manifest_sha256
    ORDER BY a.created_at DESC, a.id DESC LIMIT 1;
    IF FOUND THEN
        number := (known.detail->>'number')::bigint;
        audit_id := known.id;
        previous := known.detail->>'previous';
        receipt_hash := known.detail->>'receipt_hash';
        written_at := known.created_at;
        RETURN;
    END IF;
    SELECT * INTO before FROM audit_moved();
    following := coalesce(before.last_id + 1, (SELECT min(a.id) FROM audit_logs AS a));
    IF audit_receipt.first_id <> following OR audit_receipt.last_id < audit_receipt.first_id
       OR audit_receipt.row_count <> audit_receipt.last_id - audit_receipt.first_id + 1 THEN
        RAISE EXCEPTION 'a receipt for rows % to % (% rows): the next one must begin with %', audit_receipt.first_id,
            audit_receipt.last_id, audit_receipt.row_count, following;
    END IF;
    IF NOT EXISTS (SELECT FROM audit_logs AS a WHERE a.id = audit_receipt.first_id
                   AND a.prev_hash = audit_receipt.first_prev_hash)
       OR NOT EXISTS (SELECT FROM audit_logs AS a WHERE a.id = audit_receipt.last_id
                      AND a.row_hash = audit_receipt.last_row_hash)
       OR NOT EXISTS (SELECT FROM audit_logs AS a WHERE a.id > audit_receipt.last_id) THEN
        RAISE EXCEPTION 'a receipt for rows % to %: their ends are not those of the chain, or no row follows them',
            audit_receipt.first_id, audit_receipt.last_id;
    END IF;
    number := coalesce(before.number, 0) + 1;
    previous := coalesce(before.receipt_hash, repeat('0', 64));
    receipt_hash := encode(sha256(convert_to(previous || jsonb_build_array(
        number, audit_receipt.first_id, audit_receipt.last_id, audit_receipt.row_count, audit_receipt.first_prev_hash,
        audit_receipt.last_row_hash, audit_receipt.archive, audit_receipt.manifest_sha256)::text, 'UTF8')), 'hex');
    audit_id := audit_write(session_user::text, 'audit.rows_moved', 'audit_logs', 'moved', jsonb_build_object(
        'number', number, 'first_id', audit_receipt.first_id, 'last_id', audit_receipt.last_id,
        'rows', audit_receipt.row_count, 'first_prev_hash', audit_receipt.first_prev_hash,
        'last_row_hash', audit_receipt.last_row_hash, 'archive', audit_receipt.archive,
        'manifest_sha256', audit_receipt.manifest_sha256, 'previous', previous, 'receipt_hash', receipt_hash));
    written_at := now();
END
$$;

-- Whoever may delete audit rows still deletes none that is younger than 90 days or that no receipt speaks for.
CREATE FUNCTION audit_leaves() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    moved bigint := (SELECT last_id FROM audit_moved());
    recent timestamptz := now() - interval '90 days';
BEGIN
    IF EXISTS (SELECT FROM gone WHERE moved IS NULL OR gone.id > moved OR gone.created_at > recent) THEN
        RAISE EXCEPTION 'audit rows leave after 90 days, and only those a receipt speaks for (up to id %)',
            coalesce(moved::text, 'none');
    END IF;
    RETURN NULL;
END
$$;

CREATE TRIGGER audit_logs_leave AFTER DELETE ON audit_logs REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION audit_leaves();

-- The rows where the chain does not hold, oldest first; none when it does. Up to the newest receipt's last row rows may
-- be missing: they are in the archive, which clo_ops verifies together with this table.
CREATE FUNCTION audit_verify(from_id bigint DEFAULT 0) RETURNS TABLE (id bigint, reason text)
LANGUAGE sql STABLE
BEGIN ATOMIC
    WITH moved AS (
        SELECT coalesce(max(m.last_id), 0) AS last_id, coalesce(max(m.last_row_hash), repeat('0', 64)) AS last_row_hash
        FROM audit_moved() AS m
    ), chain AS (
        SELECT a.*, lag(a.id) OVER w AS before_id, lag(a.row_hash) OVER w AS before_hash
        FROM audit_logs AS a
        WHERE a.id >= audit_verify.from_id
        WINDOW w AS (ORDER BY a.id)
    ), seen AS (
        SELECT chain.*, moved.last_id AS moved_id, moved.last_row_hash AS moved_hash,
               chain.row_hash <> audit_row_hash(chain.id, chain.created_at, chain.actor, chain.action,
                   chain.object_type, chain.object_id, chain.detail, chain.prev_hash) AS edited
        FROM chain CROSS JOIN moved
    )
    SELECT seen.id,
           CASE
               WHEN seen.edited THEN 'the row is not what was written'
               WHEN seen.before_id IS NULL THEN 'the chain does not start here'
               WHEN seen.id <> seen.before_id + 1 THEN 'rows are missing before this one'
               ELSE 'does not continue the row before'
           END
    FROM seen
    WHERE seen.edited
       OR (seen.id = seen.before_id + 1 AND seen.prev_hash <> seen.before_hash)
       OR (seen.id > seen.moved_id AND seen.id <> seen.before_id + 1 AND NOT (
               seen.id = seen.moved_id + 1 AND seen.prev_hash = seen.moved_hash))
       OR (seen.id > seen.moved_id AND seen.before_id IS NULL AND audit_verify.from_id <= seen.moved_id + 1
           AND NOT (seen.id = seen.moved_id + 1 AND seen.prev_hash = seen.moved_hash))
    ORDER BY seen.id;
END;

-- Disables one account on somebody's approval, and says so as a row of the chain in the same transaction. Asked again it
-- changes nothing. A service account is not disabled, nor the last account that can administer the system.
CREATE FUNCTION account_disable(
    username text, approved_by text, work text, OUT was_disabled boolean, OUT is_disabled boolean
) LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
DECLARE
    account record;
BEGIN
    IF NOT pg_has_role(session_user, 'clo_ops_accounts', 'member') THEN
        RAISE insufficient_privilege USING MESSAGE = format('%s may not disable accounts', session_user);
    END IF;
    IF account_disable.approved_by = '' OR account_disable.approved_by = account_disable.username THEN
        RAISE EXCEPTION 'account % is disabled only on the approval of somebody else', account_disable.username;
    END IF;
    -- One at a time: two administrators must not go together.
    PERFORM pg_advisory_xact_lock(hashtext('account_disable'));
    SELECT u.user_id, u.disabled, u.is_service INTO account FROM app_users AS u
    WHERE u.username = account_disable.username FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no account %', account_disable.username;
    END IF;
    was_disabled := account.disabled;
    is_disabled := true;
    IF was_disabled THEN
        RETURN;
    END IF;
    IF account.is_service THEN
        RAISE EXCEPTION 'account % is a service account', account_disable.username;
    END IF;
    IF NOT EXISTS (SELECT FROM app_users AS u JOIN app_user_roles AS g USING (user_id) JOIN app_roles AS r USING (role_id)
                   WHERE r.role_name = 'admin' AND NOT u.disabled AND NOT u.is_service
                     AND u.user_id <> account.user_id) THEN
        RAISE EXCEPTION 'account % is the last that can administer the system', account_disable.username;
    END IF;
    UPDATE app_users AS u SET disabled = true, updated_at = now() WHERE u.user_id = account.user_id;
    PERFORM audit_write(session_user::text, 'account_disabled', 'user', account_disable.username, jsonb_build_object(
        'reason', 'not used', 'approved_by', account_disable.approved_by, 'work', account_disable.work));
END
$$;
