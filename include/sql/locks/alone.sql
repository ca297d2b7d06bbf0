-- purpose: takes the lock that lets one work of this name run at a time in this database (a backup: clo_ops.backup; retention:
--          clo_ops.retention); kept until the session ends. Whoever held it a moment ago may still be on the way out:
--          three seconds are given
-- procedure: ED-03, MW-04, WM-03
-- columns: taken boolean
-- privilege: none
-- access: read-only
with recursive tries as (
    select
        1 as number,
        pg_try_advisory_lock(hashtext(%(work)s::text), hashtext(current_database())) as taken
    union all
    select
        tries.number + 1,
        pg_try_advisory_lock(hashtext(%(work)s::text), hashtext(current_database()))
    from tries
    cross join lateral pg_sleep(0.1 + 0 * tries.number)
    where not tries.taken and tries.number < 30
)
select bool_or(taken) as taken from tries
