-- purpose: every object of the database and its definition as canonical text: no OIDs, no order of creation
-- procedure: M3-03, ED-03
-- columns: object text, definition text
-- privilege: none
-- access: read-only
with member as (
    select classid, objid from pg_depend where deptype = 'e'
), space as (
    select oid, nspname::text as name, nspowner, nspacl from pg_namespace
     where nspname !~ '^pg_' and nspname <> 'information_schema'
       and (('pg_namespace'::regclass)::oid, oid) not in (select classid, objid from member)
), relation as (
    select c.*, s.name || '.' || c.relname as full_name
      from pg_class c join space s on s.oid = c.relnamespace
     where c.relkind in ('r', 'p', 'v', 'm', 'f', 'c', 'S') and c.relpersistence <> 't'
       and (('pg_class'::regclass)::oid, c.oid) not in (select classid, objid from member)
), routine as (
    select p.*, s.name || '.' || p.proname || '(' || pg_get_function_identity_arguments(p.oid) || ')' as full_name
      from pg_proc p join space s on s.oid = p.pronamespace
     where (('pg_proc'::regclass)::oid, p.oid) not in (select classid, objid from member)
), kind (relkind, word) as (
    values ('r'::"char", 'table'), ('p', 'partitioned table'), ('v', 'view'), ('m', 'materialized view'),
           ('f', 'foreign table'), ('c', 'composite type'), ('S', 'sequence')
), granted (on_what, owner, acl) as (
    select 'schema ' || name, nspowner, coalesce(nspacl, acldefault('n', nspowner)) from space
    union all
    select k.word || ' ' || r.full_name, r.relowner,
           coalesce(r.relacl, acldefault(case r.relkind when 'S' then 's'::"char" else 'r'::"char" end, r.relowner))
      from relation r join kind k using (relkind) where r.relkind <> 'c'
    union all
    select 'function ' || full_name, proowner, coalesce(proacl, acldefault('f', proowner)) from routine
)
select 'schema ' || name as object, '' as definition from space
union all
select k.word || ' ' || r.full_name,
       concat_ws(' ', case r.relpersistence when 'u' then 'unlogged' end,
                 'partition by ' || pg_get_partkeydef(r.oid), pg_get_expr(r.relpartbound, r.oid),
                 'inherits ' || (select string_agg(i.inhparent::regclass::text, ', ' order by i.inhseqno)
                                   from pg_inherits i where i.inhrelid = r.oid),
                 case when r.relrowsecurity then 'row security' end,
                 case when r.relforcerowsecurity then 'forced' end,
                 'with ' || (select string_agg(o, ', ' order by o) from unnest(r.reloptions) as o),
                 case when r.relkind in ('v', 'm') then pg_get_viewdef(r.oid) end)
  from relation r join kind k using (relkind) where r.relkind <> 'S'
union all
select 'column ' || r.full_name || '.' || a.attname,
       concat_ws(' ', '#' || row_number() over (partition by a.attrelid order by a.attnum),
                 format_type(a.atttypid, a.atttypmod),
                 (select 'collate ' || quote_ident(l.collname) from pg_collation l join pg_type t on t.oid = a.atttypid
                   where l.oid = a.attcollation and a.attcollation <> t.typcollation),
                 case when a.attnotnull then 'not null' end,
                 case a.attidentity when 'a' then 'identity always' when 'd' then 'identity by default' end,
                 case when a.attgenerated = 's' then 'generated' when a.attgenerated = 'v' then 'generated virtual'
                      when d.oid is not null then 'default' end,
                 pg_get_expr(d.adbin, d.adrelid))
  from relation r join pg_attribute a on a.attrelid = r.oid and a.attnum > 0 and not a.attisdropped
  left join pg_attrdef d on d.adrelid = a.attrelid and d.adnum = a.attnum
 where r.relkind <> 'S'
union all
select 'constraint ' || r.full_name || '.' || c.conname, pg_get_constraintdef(c.oid)
  from relation r join pg_constraint c on c.conrelid = r.oid where c.contype <> 'n'
union all
select 'index ' || s.name || '.' || c.relname, pg_get_indexdef(i.indexrelid)
  from pg_index i join relation r on r.oid = i.indrelid join pg_class c on c.oid = i.indexrelid
  join space s on s.oid = c.relnamespace
 where i.indisvalid or c.relkind = 'I'
union all
select 'trigger ' || r.full_name || '.' || t.tgname, concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled)
  from relation r join pg_trigger t on t.tgrelid = r.oid where not t.tgisinternal
union all
select 'rule ' || r.full_name || '.' || w.rulename, pg_get_ruledef(w.oid)
  from relation r join pg_rewrite w on w.ev_class = r.oid where w.rulename <> '_RETURN'
union all
select 'policy ' || r.full_name || '.' || p.polname,
       concat_ws(' ', p.polcmd, case when p.polpermissive then 'permissive' else 'restrictive' end,
                 'to ' || (select string_agg(case g when 0 then 'public' else pg_get_userbyid(g)::text end, ', ')
                             from unnest(p.polroles) as g),
                 'using ' || pg_get_expr(p.polqual, p.polrelid), 'check ' || pg_get_expr(p.polwithcheck, p.polrelid))
  from relation r join pg_policy p on p.polrelid = r.oid
union all
select 'sequence ' || r.full_name,
       concat_ws(' ', format_type(q.seqtypid, null), 'start', q.seqstart, 'increment', q.seqincrement, 'min', q.seqmin,
                 'max', q.seqmax, 'cache', q.seqcache, case when q.seqcycle then 'cycle' end,
                 (select 'owned by ' || d.refobjid::regclass || '.' || a.attname
                    from pg_depend d join pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid
                   where d.classid = 'pg_class'::regclass and d.objid = r.oid
                     and d.refclassid = 'pg_class'::regclass and d.deptype in ('a', 'i') and d.refobjsubid > 0))
  from relation r join pg_sequence q on q.seqrelid = r.oid
union all
select 'function ' || full_name,
       concat_ws(' ', pg_get_function_result(oid),
                 'md5 ' || md5(case when prokind = 'a' then prosrc else pg_get_functiondef(oid) end))
  from routine
union all
select 'type ' || s.name || '.' || t.typname,
       case t.typtype
           when 'e' then 'enum ' || (select string_agg(quote_literal(e.enumlabel), ', ' order by e.enumsortorder)
                                       from pg_enum e where e.enumtypid = t.oid)
           when 'r' then 'range of ' || (select format_type(g.rngsubtype, null) from pg_range g where g.rngtypid = t.oid)
           else concat_ws(' ', 'domain', format_type(t.typbasetype, t.typtypmod),
                          case when t.typnotnull then 'not null' end, 'default ' || t.typdefault,
                          (select string_agg(pg_get_constraintdef(c.oid), ' ' order by c.conname)
                             from pg_constraint c where c.contypid = t.oid and c.contype <> 'n'))
       end
  from pg_type t join space s on s.oid = t.typnamespace
 where t.typtype in ('e', 'r', 'd')
   and (('pg_type'::regclass)::oid, t.oid) not in (select classid, objid from member)
union all
select 'statistics ' || s.name || '.' || x.stxname, pg_get_statisticsobjdef(x.oid)
  from pg_statistic_ext x join space s on s.oid = x.stxnamespace
union all
select 'owner of ' || on_what, pg_get_userbyid(owner)::text from granted
union all
select 'grants on ' || g.on_what || ' to ' || case e.grantee when 0 then 'public' else pg_get_userbyid(e.grantee)::text end,
       string_agg(distinct e.privilege_type || case when e.is_grantable then ' with grant option' else '' end, ', ')
  from granted g cross join lateral aclexplode(g.acl) as e
 group by g.on_what, e.grantee
union all
select 'grants on column ' || r.full_name || '.' || a.attname || ' to '
           || case e.grantee when 0 then 'public' else pg_get_userbyid(e.grantee)::text end,
       string_agg(distinct e.privilege_type, ', ')
  from relation r join pg_attribute a on a.attrelid = r.oid and a.attacl is not null
 cross join lateral aclexplode(a.attacl) as e
 group by r.full_name, a.attname, e.grantee
 order by 1
