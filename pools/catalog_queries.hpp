#pragma once

namespace tidemark::pools::catalog_queries {

/// An aggregate is always declared immutable (manual: CREATE AGGREGATE has no volatility), so the functions
/// that it calls are asked. Names whose overloads are all safe, and names of which one outside of pg_catalog
/// is not.
inline constexpr const char* kSafeFunctions = R"(
select name, bool_and(safe), bool_or(not safe and users)
  from (select p.proname as name, p.pronamespace <> 'pg_catalog'::regnamespace as users,
               p.provolatile <> 'v' and not exists (
                 select from pg_proc f
                  where f.provolatile = 'v'
                    and f.oid in (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
                                  a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn)) as safe
          from pg_proc p left join pg_aggregate a on a.aggfnoid = p.oid) as functions
 group by name
having bool_and(safe) or bool_or(not safe and users))";

/// One text that is another one as soon as anything changes of which kSources tells; and
/// FunctionCatalog::changes_are_flushed: expressions are searched as the trees that they are stored as, which
/// takes no lock, as pg_get_ruledef() would.
inline constexpr const char* kFingerprint = R"(
select concat_ws(' ',
  (select concat(count(*), ' ', sum(xmin::text::numeric), ' ', max(oid)) from pg_proc
    where pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)),
  (select concat(count(*), ' ', sum(hashtext(relname::text)::numeric), ' ', max(oid)) from pg_class
    where relkind in ('r', 'v', 'p', 'f', 'm') and relpersistence <> 't'),
  (select concat(count(*), ' ', sum(xmin::text::numeric), ' ', max(oid)) from pg_rewrite),
  (select concat(count(*), ' ', sum(xmin::text::numeric), ' ', max(oid)) from pg_trigger where not tgisinternal),
  (select concat(count(*), ' ', sum(xmin::text::numeric), ' ', max(oid)) from pg_attrdef),
  (select concat(count(*), ' ', sum(xmin::text::numeric), ' ', max(oid)) from pg_constraint where contype in ('c', 'f')),
  (select concat(count(*), ' ', sum(xmin::text::numeric), ' ', max(oid)) from pg_policy),
  (select concat(count(*), ' ', sum(xmin::text::numeric)) from pg_inherits),
  (select concat(count(*), ' ', sum(xmin::text::numeric), ' ', max(oid)) from pg_event_trigger)),
  not exists (select from pg_proc
               where pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
                 and concat(prosrc, ' ', array_to_string(proconfig, ' ')) ~* concat_ws('|',
                       'synchronous_commit', 'set_config\s*\((?!\s*''[^'']*''\s*,)',
                       '\mset\s+(local\s+|session\s+)?(''|%)'))
  and not exists (
    select from (select to_jsonb(p) ->> 'prosqlbody' from pg_proc p where prosrc = ''
                 union all select adbin::text from pg_attrdef
                 union all select conbin::text from pg_constraint where contype = 'c'
                 union all select typdefaultbin::text from pg_type where typdefaultbin is not null
                 union all select concat(polqual, polwithcheck) from pg_policy
                 union all select tgqual::text from pg_trigger where tgqual is not null
                 union all select ev_action::text from pg_rewrite
                            where ev_class not in (select oid from pg_class where relnamespace in
                                  ('pg_catalog'::regnamespace, 'information_schema'::regnamespace))) as tree(nodes)
     where nodes like concat('%:funcid ', 'pg_catalog.set_config(text, text, boolean)'::regprocedure::oid, ' %'))
  and not exists (select from pg_class
                   where relkind = 'f' or relpersistence = 'u' and relkind in ('r', 'p', 'm', 'S'))
  and not exists (select from pg_trigger where tgtype & 64 <> 0))";

/// What a database runs without being told so by a statement's text: kind (f: routine, r: of a relation when
/// it is read, w: when it is written, e: event trigger), name, whether the text is SQL or PL/pgSQL, text. A
/// relation has one row for each trigger, rule, default, constraint, policy, partition, and table that a
/// change of its keys changes, too.
inline constexpr const char* kSources = R"(
select 'f', p.proname, l.lanname in ('sql', 'plpgsql'),
       case when p.prosrc = '' then pg_get_functiondef(p.oid) else p.prosrc end
  from pg_proc p join pg_language l on l.oid = p.prolang
 where p.pronamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
   and l.lanname not in ('internal', 'c') and p.prokind <> 'a'
union all
select 'f', p.proname, true, (select string_agg(quote_ident(f.proname) || '()', ' ') from pg_proc f
                               where f.oid in (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggmtransfn,
                                               a.aggminvtransfn, a.aggmfinalfn))
  from pg_aggregate a join pg_proc p on p.oid = a.aggfnoid where p.pronamespace <> 'pg_catalog'::regnamespace
union all
select 'w', c.relname, true, quote_ident(p.proname) || '()'
  from pg_trigger t join pg_class c on c.oid = t.tgrelid join pg_proc p on p.oid = t.tgfoid where not t.tgisinternal
union all
select case when r.ev_type = '1' then 'r' else 'w' end, c.relname, true, pg_get_ruledef(r.oid) from pg_rewrite r join pg_class c on c.oid = r.ev_class
 where c.relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace)
   and c.relpersistence <> 't'
union all
select 'w', c.relname, true, pg_get_expr(d.adbin, d.adrelid)
  from pg_attrdef d join pg_class c on c.oid = d.adrelid where c.relpersistence <> 't'
union all
select 'w', c.relname, true, pg_get_constraintdef(k.oid)
  from pg_constraint k join pg_class c on c.oid = k.conrelid where k.contype = 'c' and c.relpersistence <> 't'
union all
select 'r', c.relname, true, concat(pg_get_expr(p.polqual, p.polrelid), ' ', pg_get_expr(p.polwithcheck, p.polrelid))
  from pg_policy p join pg_class c on c.oid = p.polrelid
union all
select 'w', c.relname, true, quote_ident(part.relname)
  from pg_inherits i join pg_class c on c.oid = i.inhparent join pg_class part on part.oid = i.inhrelid
 where c.relkind in ('r', 'p', 'f')
union all
select 'w', c.relname, true, quote_ident(follower.relname)
  from pg_constraint k join pg_class c on c.oid = k.confrelid join pg_class follower on follower.oid = k.conrelid
 where k.contype = 'f' and (k.confdeltype in ('c', 'n', 'd') or k.confupdtype in ('c', 'n', 'd'))
union all
select 'e', e.evtname, true, quote_ident(p.proname) || '()'
  from pg_event_trigger e join pg_proc p on p.oid = e.evtfoid)";

}  // namespace tidemark::pools::catalog_queries
