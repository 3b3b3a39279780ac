// What statements leave in their session, and what they end.

#include <cstdint>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "routing/statement_class.hpp"

namespace tidemark::routing {
namespace {

using namespace session_state;

// Beside the session_state bits.
constexpr std::uint16_t kEnds = 1U << 13U;
constexpr std::uint16_t kOnly = 1U << 14U;
constexpr std::uint16_t kSequence = 1U << 15U;

struct StateCase {
  std::uint16_t expected;
  std::string_view sql;
};

std::uint16_t found(const Classification& one) {
  std::uint16_t result = one.session_state;
  if (one.ends_session_state) result |= kEnds;
  if (one.only_settings) result |= kOnly;
  if (one.reads_sequence_state) result |= kSequence;
  return result;
}

constexpr StateCase kCases[] = {
    {0, ""},
    {0, "SELECT 1"},
    {0, "INSERT INTO t VALUES (1)"},
    {0, "BEGIN"},
    {0, "CREATE TABLE t (a int)"},
    // Settings.
    {settings | kOnly, "SET a = 1"},
    {settings | kOnly, "set a.b to default;"},
    {settings | kOnly, "SET \"DateStyle\" = 'ISO'"},
    {settings | kOnly, "SET/**/SESSION -- x\n search_path TO x, y"},
    {settings | kOnly, "SET search_path = 'x', \"y\""},
    {settings | kOnly, "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"},
    {settings | kOnly, "SET TIME ZONE 'UTC'"},
    {settings | kOnly, "SET TIME ZONE INTERVAL '-08:00' HOUR TO MINUTE"},
    {settings | kOnly, "SET SESSION TIME ZONE LOCAL"},
    {settings | kOnly, "SET NAMES 'UTF8'"},
    {settings | kOnly, "SET SCHEMA 'x'"},
    {settings | kOnly, "SET XML OPTION DOCUMENT"},
    {settings | kEnds | kOnly, "SET a = 1; SET b = 2; ; RESET c"},
    {settings | kOnly, "SET role.x = 1"},
    {settings | kOnly, "SET seed.x = 1"},
    {settings | kOnly, "SET transaction_timeout = 1"},
    {settings, "SET local.x = 1"},
    {settings, "SET local = 1"},
    {settings, "SET session.x = 1"},
    {settings, "SET constraints.x = 1"},
    {settings, "SET a = 1; SELECT 1"},
    {settings, "SELECT 1; SET a = 1"},
    {settings, "SET a = 1; SET LOCAL b = 2"},
    {settings, "BEGIN; SET a = 1; COMMIT"},
    {settings | kEnds | kOnly, "RESET a"},
    {settings | kEnds | kOnly, "RESET ALL"},
    {settings | kEnds | kOnly, "RESET TIME ZONE"},
    {settings | kEnds, "DISCARD ALL"},
    {settings, "SELECT set_config('a', 'b', false)"},
    {settings, "SELECT pg_catalog.set_config('a', 'b', $1)"},
    {settings, "SELECT set_config('a', $1, is_local => false)"},
    {settings, "SELECT set_config('a', 'b', NOT true)"},
    {settings, "SELECT set_config('a', 'b', true), set_config('a', 'c', false)"},
    {settings | role, "SELECT set_config($1, $2, false)"},
    {settings | role, "SELECT set_config('ro' || 'le', 'x', false)"},
    {settings | role, "SELECT set_config('ro'\n'le', 'x', false)"},
    {settings | role, "SELECT set_config(E'rol\\x65', 'x', false)"},
    {settings | role, "SELECT set_config(name, setting, false) FROM t"},
    {settings, "SELECT set_limit(0.5)"},
    {settings, "PREPARE TRANSACTION 'x'; SET a = 1"},
    // Settings of the transaction.
    {0, "SET LOCAL a = 1"},
    {0, "SET LOCAL ROLE x"},
    {0, "SET LOCAL SESSION AUTHORIZATION x"},
    {0, "SET LOCAL TIME ZONE 'UTC'"},
    {0, "SET LOCAL TRANSACTION ISOLATION LEVEL SERIALIZABLE"},
    {0, "SET TRANSACTION READ ONLY"},
    {0, "SET SESSION TRANSACTION READ ONLY"},
    {0, "SET TRANSACTION SNAPSHOT '1'"},
    {0, "SET transaction_isolation = 'serializable'"},
    {0, "SET CONSTRAINTS ALL DEFERRED"},
    {0, "SELECT set_config('a', 'b', true)"},
    {0, "SELECT set_config('role', 'b', TRUE)"},
    {0, "SELECT set_config($1, $2, true)"},
    // Roles.
    {role | kEnds, "SET ROLE x"},
    {role | kEnds, "SET SESSION ROLE x"},
    {role | kEnds, "SET role = x"},
    {role | kEnds, "SET \"role\" TO x"},
    {role | kEnds, "SET ROLE NONE"},
    {role | kEnds, "SET SESSION AUTHORIZATION x"},
    {role | kEnds, "SET SESSION SESSION AUTHORIZATION DEFAULT"},
    {role | kEnds, "SET session_authorization = x"},
    {role | kEnds, "RESET ROLE"},
    {role | kEnds, "RESET SESSION AUTHORIZATION"},
    {role | settings | kEnds, "SET a = 1; SET ROLE x"},
    {role, "SELECT set_config('role', 'x', false)"},
    {role, "SELECT set_config('Session_Authorization', 'x', $1)"},
    // What the server does not tell of.
    {unaskable, "SET seed = 0.5"},
    {unaskable, "SET LOCAL seed TO 0.5"},
    {unaskable, "SELECT setseed(0.5)"},
    {unaskable, "SELECT set_config('seed', '0.5', true)"},
    {unaskable, "LOAD 'x'"},
    {unaskable, "SELECT dblink_connect('x')"},
    {unaskable, "SELECT pg_create_logical_replication_slot('a', 'b', true)"},
    {unaskable | settings, "SET search_path = pg_temp, public"},
    {unaskable | settings, "SET search_path = 'PG_Temp'"},
    {unaskable, "SET LOCAL search_path = x, \"pg_temp\""},
    {unaskable | settings, "SELECT set_config('search_path', 'public, pg_temp', false)"},
    {unaskable, "SELECT set_config('search_path', 'public, pg_temp', true)"},
    // LISTEN and cursors.
    {listen, "LISTEN a"},
    {listen, "BEGIN; LISTEN a; COMMIT"},
    {kEnds, "UNLISTEN *"},
    {0, "NOTIFY a"},
    {held_cursor, "DECLARE c CURSOR WITH HOLD FOR SELECT 1"},
    {held_cursor, "DECLARE \"c\" BINARY SCROLL CURSOR WITH/* x */HOLD FOR TABLE t"},
    {0, "DECLARE c CURSOR WITHOUT HOLD FOR SELECT 1"},
    {0, "DECLARE c CURSOR FOR SELECT 'WITH HOLD'"},
    {0, "FETCH ALL FROM c"},
    {kEnds, "CLOSE ALL"},
    // Temporary relations.
    {temporary, "CREATE TEMP TABLE t (a int)"},
    {temporary, "CREATE TEMPORARY TABLE IF NOT EXISTS t AS SELECT 1"},
    {temporary, "CREATE OR REPLACE TEMP VIEW v AS SELECT 1"},
    {temporary, "SELECT 1 INTO TEMP t"},
    {temporary, "WITH a AS (SELECT 1) SELECT * INTO LOCAL TEMPORARY TABLE t FROM a"},
    {temporary, "CREATE TABLE pg_temp.t (a int)"},
    {temporary, "INSERT INTO PG_TEMP.t VALUES (1)"},
    {temporary, "EXPLAIN ANALYZE CREATE TEMP TABLE t AS SELECT 1"},
    {temporary | kEnds, "DROP TABLE pg_temp.t"},
    {temporary, "COPY pg_temp.t FROM STDIN"},
    {temporary, "COPY d.\"pg_temp\".t (a) TO STDOUT"},
    {unknown | kEnds, "COPY U&\"pg\\005Ftemp\".t TO STDOUT"},
    {advisory_lock, "COPY t FROM STDIN WHERE pg_try_advisory_lock(a)"},
    {kEnds, "DROP TABLE t"},
    {kEnds, "DISCARD TEMP"},
    {kEnds, "DISCARD PLANS"},
    {kEnds, "DISCARD SEQUENCES"},
    {temporary, "SELECT 1 AS insert INTO TEMP t"},
    {0, "SELECT 'CREATE TEMP TABLE t'"},
    // Advisory locks.
    {advisory_lock, "SELECT pg_advisory_lock(1)"},
    {advisory_lock, "SELECT PG_TRY_ADVISORY_LOCK_SHARED (1, 2)"},
    {advisory_lock, "SELECT \"pg_catalog\".\"pg_try_advisory_lock\"(1)"},
    {advisory_lock, "SELECT 1 WHERE pg_advisory_lock_shared/**/(1) IS NULL"},
    {advisory_lock, "WITH a AS (SELECT pg_advisory_lock(1)) SELECT 2 FROM a"},
    {advisory_lock, "EXPLAIN ANALYZE SELECT pg_advisory_lock(1)"},
    {advisory_lock, "COPY (SELECT pg_advisory_lock(1)) TO STDOUT"},
    {advisory_lock, "INSERT INTO t SELECT pg_advisory_lock(1)"},
    {advisory_lock | kEnds, "SELECT pg_advisory_lock(1); SELECT pg_advisory_unlock(1)"},
    {kEnds, "SELECT pg_advisory_unlock(1)"},
    {kEnds, "SELECT pg_advisory_unlock_all()"},
    {0, "SELECT pg_advisory_xact_lock(1)"},
    {0, "SELECT pg_try_advisory_xact_lock_shared(1)"},
    {0, "SELECT \"PG_ADVISORY_LOCK\"(1)"},
    {0, "SELECT pg_advisory_lock FROM t"},
    // Prepared statements.
    {prepared, "PREPARE x AS SELECT 1"},
    {prepared, "PREPARE x (int) AS INSERT INTO t VALUES ($1)"},
    {prepared | advisory_lock, "PREPARE x AS SELECT pg_advisory_lock(1)"},
    {unknown | kEnds, "EXECUTE x (1)"},
    {unknown | kEnds, "EXPLAIN ANALYZE EXECUTE x"},
    {unknown | kEnds, "CREATE TABLE t AS EXECUTE x"},
    {unknown | temporary | kEnds, "CREATE TEMP TABLE t AS EXECUTE x"},
    {kEnds, "DEALLOCATE x"},
    {kEnds, "DEALLOCATE PREPARE ALL"},
    {prepared | kEnds, "PREPARE x AS SELECT 1; DEALLOCATE x"},
    // Code, and names that may be any.
    {unknown | kEnds, "CALL p()"},
    {unknown | kEnds, "DO 'BEGIN END'"},
    {unknown | kEnds, "SELECT U&\"pg\\005Fadvisory_lock\"(1)"},
    {unknown | kEnds, "SELECT u&\"pg\\005Fcatalog\".now()"},
    {unknown | kEnds, "INSERT INTO U&\"pg\\005Ftemp\".t VALUES (1)"},
    {unknown | kEnds, "SET U&\"rol\\0065\" = x"},
    {0, "SELECT U&\"d\\0061ta\" FROM t"},
    // Sequences.
    {kSequence, "SELECT lastval()"},
    {kSequence, "SELECT currval('s')"},
    {kSequence, "INSERT INTO t VALUES (pg_catalog.currval('s'))"},
    {kSequence | advisory_lock, "SELECT \"lastval\"(); SELECT pg_advisory_lock(1)"},
    {0, "SELECT nextval('s')"},
    // Several.
    {settings | listen | temporary | kEnds, "SET a = 1; LISTEN b; CREATE TEMP TABLE t (a int); UNLISTEN b"},
};

TEST(StatementState, IsWhatTheTableSays) {
  for (const StateCase& one : kCases) {
    const Classification result = classify(one.sql, nullptr);
    EXPECT_EQ(found(result), one.expected) << one.sql;
    EXPECT_EQ(result.leaves_session_state, result.session_state != 0) << one.sql;
    EXPECT_EQ(result.statement == StatementClass::session_state, result.session_state != 0) << one.sql;
  }
}

TEST(StatementState, NothingThatLeavesOrEndsStateIsARead) {
  for (const StateCase& one : kCases) {
    if ((one.expected & static_cast<std::uint16_t>(~kOnly)) != 0) {
      EXPECT_NE(classify(one.sql, nullptr).statement, StatementClass::read) << one.sql;
    }
  }
}

// Comments and other statements around it change nothing of what a statement leaves.
TEST(StatementState, IsThatOfTheStatementsTogether) {
  for (const StateCase& one : kCases) {
    const std::uint16_t expected =
        static_cast<std::uint16_t>(one.expected & static_cast<std::uint16_t>(~kOnly));
    const std::string sql(one.sql);
    EXPECT_EQ(found(classify("SELECT 1;/* SET a = 1 */" + sql + "\n;-- LISTEN x\nSELECT 2", nullptr)),
              expected)
        << sql;
    EXPECT_EQ(found(classify("SET a = 1; " + sql, nullptr)) | kOnly, expected | settings | kOnly) << sql;
  }
}

TEST(StatementState, OfTextInDoubtIsNeverOnlySettings) {
  EXPECT_FALSE(classify("SET a = '\\', '; SELECT 1; --'", nullptr).only_settings);
  EXPECT_FALSE(classify("SET a = 'b", nullptr).only_settings);
}

TEST(StatementState, WhatMaySetSomethingForItsTransaction) {
  for (const char* sql :
       {"set local synchronous_commit = off", "select set_config('synchronous_commit', 'off', true)",
        "select pg_catalog.set_config($1, $2, $3)", "insert into t select set_config('a.b', 'c', false)",
        "select 1; set local a.b = c", "select ((((set_config('a.b', 'c', true)))))", "SET LOCAL x TO 1"})
    EXPECT_TRUE(classify(sql, nullptr).sets_locally) << sql;
  for (const char* sql :
       {"set transaction isolation level serializable", "savepoint s", "update t set local = 1",
        "select set_config from t", "select 'set local a = b'", "commit"})
    EXPECT_FALSE(classify(sql, nullptr).sets_locally) << sql;
}

}  // namespace
}  // namespace tidemark::routing
