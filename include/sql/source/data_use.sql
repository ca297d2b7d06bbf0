-- purpose: rows read and exported by user, kind and day, in the look-back before `until`
-- procedure: WF-07
-- columns: username text, kind text, day text, rows bigint
-- privilege: select on data_access
-- access: read-only
select username, kind, to_char(at at time zone 'UTC', 'YYYY-MM-DD') as day, sum(row_count)::bigint as rows
  from data_access
 where at >= %(until)s::timestamptz - %(history)s::interval and at < %(until)s::timestamptz
 group by 1, 2, 3
 order by 1, 2, 3
