-- purpose: disable one account that somebody approved by name; the database refuses a service account and the last administrator
-- procedure: M1-02
-- columns: was_disabled boolean, is_disabled boolean
-- privilege: execute on account_disable, and nothing else
-- access: writes
select was_disabled, is_disabled from account_disable(%(username)s::text, %(approved_by)s::text, %(work)s::text)
