-- purpose: removes what an interrupted rebuild of ours left; nobody reads from an invalid index
-- procedure: WM-02
-- columns: none
-- privilege: owner of the index, or a member of the owner's role
-- access: writes
drop index concurrently if exists {index}
