-- purpose: rows of a range leave the live table, but for those that are held, and are given back as COPY text
-- procedure: WM-03
-- columns: id bigint, created_at timestamptz, actor text, action text, object_type text, object_id text, detail jsonb, prev_hash text, row_hash text
-- privilege: SELECT and DELETE on audit_logs
-- access: writes
copy (
    delete from audit_logs
     where id between %(first)s and %(last)s
       and created_at < %(before)s
       and id <> all (%(held)s::bigint[])
    returning id, created_at, actor, action, object_type, object_id, detail, prev_hash, row_hash
) to stdout
