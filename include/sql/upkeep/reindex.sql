-- purpose: one index built anew beside the old one, which is in use until then
-- procedure: WM-02
-- columns: none
-- privilege: owner of the index, or a member of the owner's role; MAINTAIN from PostgreSQL 17 on
-- access: writes
reindex index concurrently {index}
