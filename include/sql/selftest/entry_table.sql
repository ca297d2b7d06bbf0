-- purpose: the self-test's entries
-- procedure: M3-07
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
create table selftest_entry (
    id bigint generated always as identity primary key,
    account bigint not null references selftest_account,
    amount numeric(12, 2) not null,
    memo text not null
)
