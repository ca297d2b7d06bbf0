-- purpose: the self-test's own table for the canary of its backup
-- procedure: M3-07
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
create table backup_canary (
    canary_id bigint generated always as identity primary key,
    nonce text not null,
    planted_at timestamptz not null default now()
)
