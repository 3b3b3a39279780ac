#include "routing/routine_body.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "routing/statement_class.hpp"

namespace tidemark::routing {
namespace {

using namespace routine_effect;

const EffectMap kNone;

std::string numbered(std::string_view text, int number, std::string_view behind = {}) {
  std::string out(text);
  out += std::to_string(number);
  return out.append(behind);
}

std::uint8_t effects(std::string_view body) {
  return body_effects(body, BodyLanguage::sql, kNone, kNone);
}

struct BodyCase {
  int expected;
  std::string_view body;
};

constexpr BodyCase kBodies[] = {
    // Ordinary ones.
    {0, ""},
    {0, "select 1"},
    {0, "select a + b"},
    {0, " begin raise notice '%', $1; return $1; end "},
    {0,
     "begin update t set a = 1 where b = 2; insert into t values (1) on conflict (a) do update set b = 3; "
     "end"},
    {0, "begin merge into t using u on t.a = u.a when matched then update set b = 1; end"},
    {0, "begin alter table t alter column a set default 1; end"},
    {0, "declare x int; begin x := 1; if x = 1 then delete from t; else x := 2; end if; return x; end"},
    {0, "begin for i in 1..n loop insert into note values (i); commit; end loop; end"},
    {0, "begin perform pg_advisory_xact_lock(1); perform nextval('q'); perform pg_notify('a', 'b'); end"},
    {0, "-- set work_mem = 1\nselect 1 /* pg_advisory_lock(1) */"},
    {0, "begin raise notice 'set work_mem = 1; select pg_advisory_lock(1)'; end"},
    {0, "begin grant execute on function f() to public; end"},
    {0, "select temp, temporary, hold, load, listen, reset, prepare from t"},
    // Of the transaction.
    {0, "begin set local work_mem = '5MB'; set local role x; set transaction read only; end"},
    {0, "begin set constraints all deferred; perform set_config('a.b', x, true); end"},
    {0, "begin create temp table t (a int) on commit drop; end"},
    {0, "begin create temporary table if not exists t on commit drop as select 1; end"},
    // Settings.
    {state, "set work_mem = '5MB'"},
    {state, "begin set session work_mem to 5; end"},
    {state, "begin if x then set a.b = 1; end if; end"},
    {state, "begin begin null; exception when others then set time zone 'UTC'; end; end"},
    {state, "<<here>> set role x"},
    {state, "begin set session authorization x; end"},
    {state, "begin set session characteristics as transaction read only; end"},
    {state, "begin loop reset all; end loop; end"},
    {state, "select set_config('work_mem', '5MB', false)"},
    {state, "select pg_catalog.SET_CONFIG('a.b', f(x, y), $1)"},
    {state, "begin perform set_config('a', 'b', is_local => false); end"},
    {state, "begin update pg_catalog.pg_settings set setting = 1; end"},
    {state | nameless, "select set_config(name, value, false)"},
    {state | nameless, "select set_config('a.' || $1, $2, false)"},
    {state | nameless, "begin perform set_config(E'a\\x2eb', 'c', false); end"},
    {state | unaskable, "begin set seed = 0.5; end"},
    {state | unaskable, "begin set search_path = pg_temp, public; end"},
    {state | unaskable, "select set_config('search_path', 'public, pg_temp', false)"},
    {state | unaskable, "select setseed(0.5)"},
    {state, "select set_limit(0.5)"},
    // Other state.
    {state, "select pg_advisory_lock(1)"},
    {state, "begin if pg_try_advisory_lock_shared(1, 2) then return 1; end if; end"},
    {state, "select pg_advisory_unlock_all()"},
    {state, "begin create temp table t (a int); end"},
    {state, "begin create local temporary view v as select 1; end"},
    {state, "begin create temp table t (a int) on commit delete rows; end"},
    {state, "begin create table pg_temp.t (a int); end"},
    {state, "begin listen a; end"},
    {state, "begin unlisten *; end"},
    {state, "begin discard all; end"},
    {state, "begin prepare p as select 1; end"},
    {state, "declare c cursor with hold for select 1"},
    {state | unaskable, "begin load 'auto_explain'; end"},
    {state | unaskable, "select dblink_connect('x', 'y')"},
    {state, "select U&\"pg\\005Fadvisory_lock\"(1)"},
    // SQL that is put together: its constants count.
    {dynamic, "begin execute 'select ' || x; end"},
    {dynamic, "begin return query execute format('select * from %I', x); end"},
    {dynamic | state, "begin execute 'set work_mem = ' || x; end"},
    {dynamic, "begin execute 'set local work_mem = ' || x; end"},
    {dynamic | state, "begin execute 'select pg_advisory_lock(' || x || ')'; end"},
    {dynamic | state, "begin execute $q$create temp table t (a int)$q$; end"},
    {dynamic | state, "begin x := 'create temp table ' || y; execute x; end"},
    {dynamic | state | nameless, "begin execute format('set %I = %L', a, b); end"},
    {dynamic | state | nameless, "begin execute 'set ' || a; end"},
};

TEST(RoutineBody, TellsWhatABodyMayLeave) {
  for (const auto& [expected, body] : kBodies) EXPECT_EQ(int{effects(body)}, expected) << body;
}

TEST(RoutineBody, AnyBytesAreRead) {
  for (const auto& [expected, body] : kBodies) {
    for (std::size_t size = 0; size < body.size(); ++size) {
      static_cast<void>(effects(body.substr(0, size)));
      static_cast<void>(custom_settings(body.substr(0, size)));
    }
  }
}

TEST(RoutineBody, StringsInStringsAreReadToACertainDepth) {
  std::string body = "select pg_advisory_lock(1)";
  for (int i = 0; i < 10; ++i) {
    const std::string tag = numbered("$q", i, "$");
    std::string outer("execute ");
    outer.append(tag).append(body).append(tag);
    body = std::move(outer);
  }
  EXPECT_EQ(int{effects(body)}, dynamic | state);
}

TEST(RoutineBody, OtherLanguagesRunSqlOrTheyDoNot) {
  const auto other = [](std::string_view body) {
    return int{body_effects(body, BodyLanguage::other, kNone, kNone)};
  };
  EXPECT_EQ(other("return a + 1"), 0);
  EXPECT_EQ(other("temp = set([1])\nreturn temp"), 0);
  EXPECT_EQ(other("plpy.execute('select 1')"), dynamic);
  EXPECT_EQ(other("plpy.execute('create temp table t (a int)')"), dynamic | state);
  EXPECT_EQ(other("spi_exec_query('select pg_advisory_lock(1)');"), dynamic | state);
  EXPECT_EQ(other("plv8.execute('select set_config($1, $2, false)', x)"), dynamic | state | nameless);
}

TEST(RoutineBody, CallsAndNamesCount) {
  const EffectMap routines{{"lock_it", state}, {"Odd", dynamic}};
  const EffectMap relations{{"watched", state}};
  const auto with = [&](std::string_view body) {
    return int{body_effects(body, BodyLanguage::sql, routines, relations)};
  };
  EXPECT_EQ(with("select Lock_It(1)"), state);
  EXPECT_EQ(with("begin perform public.lock_it(1); end"), state);
  EXPECT_EQ(with("begin call \"lock_it\"(); end"), state);
  EXPECT_EQ(with("select \"Odd\"(1)"), dynamic);
  EXPECT_EQ(with("select odd(1), lock_it, \"LOCK_IT\"(2)"), 0);
  EXPECT_EQ(with("insert into shop.WATCHED values (1)"), state);
  EXPECT_EQ(with("begin execute 'select lock_it(' || x || ')'; end"), dynamic | state);
}

TEST(RoutineBody, NamesOfParametersAreFound) {
  using Names = std::vector<std::string>;
  EXPECT_EQ(custom_settings("select set_config('Shop.Tenant', $1, false)"), Names{"shop.tenant"});
  EXPECT_EQ(custom_settings("begin set a.b = 1; set session c.d.e = 2; set work_mem = 3; end"),
            (Names{"a.b", "c.d.e"}));
  EXPECT_EQ(custom_settings("begin execute 'set shop.tenant = ' || quote_literal(x); end"),
            Names{"shop.tenant"});
  EXPECT_EQ(custom_settings("DO $$ begin perform set_config('a.b', '1', false); end $$"), Names{"a.b"});
  EXPECT_EQ(custom_settings("select set_config('a.b', x, true), set_config('work_mem', y, false)"), Names{});
}

TEST(RoutineBody, StringsLoseTheirQuotes) {
  EXPECT_EQ(inside_of_string("'a'"), "a");
  EXPECT_EQ(inside_of_string("E'a'"), "a");
  EXPECT_EQ(inside_of_string("''"), "");
  EXPECT_EQ(inside_of_string("$$a$$"), "a");
  EXPECT_EQ(inside_of_string("$q$a$q$"), "a");
  EXPECT_EQ(inside_of_string("'a"), "a");
  EXPECT_EQ(inside_of_string("$q$a"), "a");
  EXPECT_EQ(inside_of_string("$"), "");
  EXPECT_EQ(inside_of_string(""), "");
}

RoutineSource routine(std::string name, std::string text) {
  return {RoutineSource::Kind::routine, BodyLanguage::sql, std::move(name), std::move(text)};
}
RoutineSource relation(std::string name, std::string text) {
  return {RoutineSource::Kind::relation, BodyLanguage::sql, std::move(name), std::move(text)};
}
RoutineSource written(std::string name, std::string text) {
  return {RoutineSource::Kind::written, BodyLanguage::sql, std::move(name), std::move(text)};
}

TEST(FindEffects, GoThroughCallers) {
  FunctionCatalog catalog;
  const std::vector<RoutineSource> sources{
      routine("outer_one", "select middle()"),
      routine("middle", "begin perform inner_one(1); end"),
      routine("harmless", "select 1"),
      routine("inner_one", "select set_config('a.b', '1', false)"),
      routine("inner_one", "select 2"),
      routine("self", "select self()"),
      written("parent", "child"),
      written("child", "on_write()"),
      relation("view_of_child", "select * from child"),
      relation("view_that_calls", "select middle()"),
      relation("outer_view", "select * from view_that_calls"),
      routine("on_write", "begin perform pg_advisory_lock(1); return new; end"),
      routine("writer", "insert into parent values (1)"),
      {RoutineSource::Kind::event_trigger, BodyLanguage::sql, "e", "middle()"},
  };
  find_effects(sources, catalog);
  EXPECT_EQ(catalog.routines, (EffectMap{{"outer_one", state},
                                         {"middle", state},
                                         {"inner_one", state},
                                         {"on_write", state},
                                         {"writer", state}}));
  EXPECT_EQ(catalog.relations, (EffectMap{{"view_that_calls", state}, {"outer_view", state}}));
  EXPECT_EQ(catalog.written, (EffectMap{{"parent", state},
                                        {"child", state},
                                        {"view_of_child", state},
                                        {"view_that_calls", state},
                                        {"outer_view", state}}));
  EXPECT_EQ(catalog.definition_effects, state);
  EXPECT_EQ(catalog.settings, std::vector<std::string>{"a.b"});
}

TEST(FindEffects, LongChainsEndInDoubt) {
  std::vector<RoutineSource> sources;
  for (int i = 0; i < 500; ++i)
    sources.push_back(routine(numbered("f", i), numbered("select f", i + 1, "()")));
  sources.push_back(routine("f500", "select pg_advisory_lock(1)"));
  FunctionCatalog catalog;
  find_effects(sources, catalog);
  EXPECT_EQ(catalog.routines["f0"], state);
}

TEST(FindEffects, TooManyNamesAreNone) {
  std::vector<RoutineSource> sources;
  for (int i = 0; i < 101; ++i)
    sources.push_back(routine(numbered("f", i), numbered("begin set a.b", i, " = 1; end")));
  FunctionCatalog catalog;
  find_effects(sources, catalog);
  EXPECT_TRUE(catalog.settings.empty());
  EXPECT_EQ(catalog.routines["f7"], state | nameless);
}

// The same by way of statements.

namespace kept = session_state;

FunctionCatalog shop() {
  FunctionCatalog catalog;
  catalog.safe = {"lock_it", "fine"};
  catalog.routines = {
      {"lock_it", state}, {"runs", dynamic}, {"tenant", state | nameless}, {"seeds", state | unaskable}};
  catalog.relations = {{"calling", state}};
  catalog.written = {{"calling", state}, {"watched", state}};
  return catalog;
}

TEST(StatementEffects, OfCallsAndNames) {
  const FunctionCatalog catalog = shop();
  const auto left = [&](std::string_view sql) { return classify(sql, &catalog).session_state; };
  EXPECT_EQ(left("select 1"), 0);
  EXPECT_EQ(left("select fine(1) from t"), 0);
  EXPECT_EQ(left("insert into t values (fine(1))"), 0);
  EXPECT_EQ(left("select lock_it(1)"), kept::unknown | kept::certain);
  EXPECT_EQ(left("select * from shop.\"lock_it\"(1)"), kept::unknown | kept::certain);
  EXPECT_EQ(left("insert into t select LOCK_IT(1)"), kept::unknown | kept::certain);
  EXPECT_EQ(left("select 1 where exists (select from t where a = runs(b))"), kept::unknown | kept::suspected);
  EXPECT_EQ(left("select tenant('x')"), kept::unknown | kept::certain | kept::nameless);
  EXPECT_EQ(left("select seeds()"), kept::unknown | kept::certain | kept::unaskable);
  EXPECT_EQ(left("call lock_it()"), kept::unknown | kept::certain);
  EXPECT_EQ(left("call fine()"), kept::unknown);
  EXPECT_EQ(left("select lock_it from t"), 0);
  EXPECT_EQ(left("select \"käse\"()"), kept::unknown | kept::certain);
  EXPECT_EQ(left("insert into watched values (1)"), kept::unknown | kept::certain);
  EXPECT_EQ(left("with w as (delete from shop.\"watched\") select 1"), kept::unknown | kept::certain);
  EXPECT_EQ(left("select * from Watched"), 0);
  EXPECT_EQ(left("select * from Calling"), kept::unknown | kept::certain);
  EXPECT_EQ(left("begin"), 0);
  EXPECT_EQ(classify("select lock_it(1)", &catalog).statement, StatementClass::session_state);
  EXPECT_TRUE(classify("select lock_it(1)", &catalog).ends_session_state);
}

TEST(StatementEffects, OfBlocks) {
  const FunctionCatalog catalog = shop();
  const auto left = [&](std::string_view sql) { return classify(sql, &catalog).session_state; };
  EXPECT_EQ(left("do $$ begin perform 1; end $$"), kept::unknown);
  EXPECT_EQ(left("do $$ begin perform lock_it(1); end $$"), kept::unknown | kept::certain);
  EXPECT_EQ(left("do language plpgsql $$ begin set work_mem = '5MB'; end $$"), kept::unknown | kept::certain);
  EXPECT_EQ(left("do $$ begin execute x; end $$"), kept::unknown | kept::suspected);
  EXPECT_EQ(classify("do $$ begin perform pg_advisory_lock(1); end $$", nullptr).session_state,
            kept::unknown | kept::certain);
}

TEST(StatementEffects, WhileTheCatalogIsOutdated) {
  FunctionCatalog catalog;
  catalog.safe = {"fine"};
  catalog.outdated = true;
  const auto left = [&](std::string_view sql) { return classify(sql, &catalog).session_state; };
  EXPECT_EQ(left("select 1"), 0);
  EXPECT_EQ(left("select count(*), now() from t"), 0);
  EXPECT_EQ(classify("select count(*), now() from t", &catalog).statement, StatementClass::read);
  EXPECT_EQ(left("select fine(1)"), kept::unknown | kept::certain);
  EXPECT_EQ(left("insert into t values (1)"), kept::unknown | kept::certain);
  EXPECT_EQ(left("begin"), 0);
  EXPECT_EQ(left("commit"), 0);
  EXPECT_EQ(left("set a = 1"), kept::settings);
}

TEST(StatementEffects, OfEventTriggers) {
  FunctionCatalog catalog;
  catalog.definition_effects = state;
  const auto left = [&](std::string_view sql) { return classify(sql, &catalog).session_state; };
  EXPECT_EQ(left("create table t (a int)"), kept::unknown | kept::certain);
  EXPECT_EQ(left("select 1 as a into t"), kept::unknown | kept::certain);
  EXPECT_EQ(left("insert into t values (1)"), 0);
}

TEST(StatementEffects, OfAnUpdateOfPgSettings) {
  const auto left = [](std::string_view sql) { return classify(sql, nullptr).session_state; };
  EXPECT_EQ(left("update pg_settings set setting = '1' where name = 'work_mem'"), kept::settings);
  EXPECT_EQ(left("UPDATE ONLY pg_catalog.\"pg_settings\" AS s SET setting = '1'"), kept::settings);
  EXPECT_EQ(left("with x as (update pg_settings set setting = '1' returning 1) select * from x"),
            kept::settings);
  EXPECT_EQ(left("update t set a = (select setting from pg_settings limit 1)"), 0);
  EXPECT_EQ(left("select * from pg_settings for update"), 0);
}

}  // namespace
}  // namespace tidemark::routing
