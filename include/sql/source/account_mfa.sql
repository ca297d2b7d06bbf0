-- purpose: whether each account of the application has a second factor; never the secret itself
-- procedure: M1-01
-- columns: username text, account text, state text, mfa boolean
-- privilege: select on app_users (username, is_service, disabled, mfa_enabled)
-- access: read-only
select username,
       case when is_service then 'service' else 'person' end as account,
       case when disabled then 'disabled' else 'enabled' end as state,
       mfa_enabled as mfa
  from app_users
 order by username
