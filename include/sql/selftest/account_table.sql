-- purpose: the self-test's accounts
-- procedure: M3-07
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
create table selftest_account (
    id bigint generated always as identity primary key,
    name text not null unique
)
