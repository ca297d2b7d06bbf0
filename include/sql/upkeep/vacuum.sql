-- purpose: dead rows of one table given free for new ones, and its statistics
-- procedure: WM-01
-- columns: none
-- privilege: owner of the table, or a member of the owner's role; MAINTAIN from PostgreSQL 17 on
-- access: writes
vacuum (analyze, parallel 0, truncate {truncate}) {table}
