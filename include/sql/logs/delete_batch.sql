-- purpose: deletes one batch of rows that are older than they are kept and under no hold; what it says went, went
-- procedure: LM-01
-- columns: gone timestamptz
-- privilege: SELECT, DELETE on the table
-- access: writes
with chosen as materialized (
    select t.tableoid as part, t.ctid as place
      from {table} as t
     where t.{at} < %(before)s
       and not exists (select 1
                         from unnest(%(begins)s::timestamptz[], %(ends)s::timestamptz[]) as hold (b, e)
                        where t.{at} >= hold.b and t.{at} < coalesce(hold.e, 'infinity'))
     order by t.{at}
     limit %(batch)s
)
delete from {table} as t
 using chosen
 where t.tableoid = chosen.part
   and t.ctid = chosen.place
   and t.{at} < %(before)s
returning t.{at}::timestamptz as gone
