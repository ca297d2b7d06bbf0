-- purpose: a table of the self-test that another role owns
-- procedure: M3-07
-- columns: none
-- privilege: superuser of the throw-away server
-- access: writes
create table selftest_heirloom (
    id integer primary key,
    what text not null
)
