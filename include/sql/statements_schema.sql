-- purpose: makes this session find the extension in whatever schema it was created
-- procedure: DM-06
-- columns: search_path text
-- privilege: none
-- access: read-only
select set_config('search_path', quote_ident(coalesce(%(schema)s, 'public')) || ', pg_catalog', false) as search_path
