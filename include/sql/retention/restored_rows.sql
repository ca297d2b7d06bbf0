-- purpose: takes the rows of an archived period, sent as COPY text
-- procedure: LM-01
-- columns: nothing boolean
-- privilege: INSERT on the table
-- access: writes
copy {table} (id, created_at, actor, action, object_type, object_id, detail, prev_hash, row_hash) from stdin
