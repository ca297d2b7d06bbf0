-- purpose: how a maintenance session behaves: it may write, it ends with its client, it works in small bites
-- procedure: WM-01, WM-02
-- columns: terms text
-- privilege: none
-- access: writes
-- client_connection_check_interval ends a statement whose worker was killed; servers before 14 do not know it.
select set_config(name, value, false) as terms
  from jsonb_each_text(%(terms)s::jsonb) given (name, value)
 where exists (select from pg_settings s where s.name = given.name)
