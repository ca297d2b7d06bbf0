-- purpose: whether the server's operating system knows a locale
-- procedure: M3-01
-- columns: known boolean
-- privilege: none
-- access: read-only
select %(locale)s in ('C', 'POSIX', 'C.UTF-8', 'C.utf8')
       or exists (select from pg_collation
                   where collprovider = 'c'
                     and lower(replace(collcollate, '-', '')) = lower(replace(%(locale)s, '-', ''))) as known
