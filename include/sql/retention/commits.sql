-- purpose: whether a commit of this session is waited for until it is on disk; where it is, all before it are too
-- procedure: WM-03
-- columns: pinned text
-- privilege: none
-- access: read-only
select set_config('synchronous_commit',
                  case when %(waited_for)s::boolean then coalesce(nullif(reset_val, 'off'), 'on') else 'off' end,
                  false) as pinned
  from pg_settings
 where name = 'synchronous_commit'
