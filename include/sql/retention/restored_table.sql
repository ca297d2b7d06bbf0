-- purpose: a table for audit rows that come back from the archive
-- procedure: LM-01
-- columns: nothing boolean
-- privilege: CREATE on its schema
-- access: writes
create table {table} (
    id          bigint primary key,
    created_at  timestamptz not null,
    actor       text not null,
    action      text not null,
    object_type text,
    object_id   text,
    detail      jsonb not null,
    prev_hash   text not null,
    row_hash    text not null
)
