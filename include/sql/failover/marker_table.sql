-- purpose: the table the drill commits its markers to
-- procedure: M3-05
-- columns: none nothing
-- privilege: owner of the throw-away database
-- access: writes
create table if not exists clo_ops_drill.marker (
    run text not null,
    number bigint not null,
    committed_at timestamptz not null default clock_timestamp(),
    primary key (run, number)
)
