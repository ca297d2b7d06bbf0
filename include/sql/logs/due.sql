-- purpose: how many rows of a log table are older than they are kept (at most as many as may go), and its oldest row
-- procedure: LM-01
-- columns: due bigint, oldest timestamptz, held bigint
-- privilege: SELECT on the table
-- access: read-only
select (select count(*)
          from (select 1
                  from {table} as t
                 where t.{at} < %(before)s
                   and not exists (select 1
                                     from unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) as hold (b, e)
                                    where t.{at} >= hold.b and t.{at} < coalesce(hold.e, 'infinity'))
                 limit %(most)s) as few) as due,
       (select min(t.{at}) from {table} as t)::timestamptz as oldest,
       (select count(*)
          from (select 1
                  from {table} as t
                 where t.{at} < %(before)s
                   and exists (select 1
                                 from unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) as hold (b, e)
                                where t.{at} >= hold.b and t.{at} < coalesce(hold.e, 'infinity'))
                 limit %(most)s) as few) as held
