-- purpose: the planner's statistics of one table, anew
-- procedure: WM-01
-- columns: none
-- privilege: owner of the table, or a member of the owner's role; MAINTAIN from PostgreSQL 17 on
-- access: writes
analyze {table}
