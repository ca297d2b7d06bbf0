-- purpose: logins in [since, until) that were accepted and refused, our own probe's left out (D48, D61)
-- procedure: DM-07, BH-02, ED-07
-- columns: accepted bigint, refused bigint
-- privilege: select on login_attempts
-- access: read-only
select count(*) filter (where success) as accepted,
       count(*) filter (where not success) as refused
  from login_attempts
 where username <> %(synthetic_user)s
   and at >= %(since)s
   and at < %(until)s
