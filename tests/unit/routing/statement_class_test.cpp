#include "routing/statement_class.hpp"

#include <string>

#include <gtest/gtest.h>

#include "routing/function_catalog.hpp"
#include "tests/unit/routing/statement_cases.hpp"

namespace tidemark::routing {
namespace {

FunctionCatalog catalog() {
  return {StringSet{"known_safe", "Known Safe", "Known_Safe_Not"}, {}};
}

TEST(StatementClass, CallsEveryStatementOfTheTableWhatItIs) {
  const FunctionCatalog known = catalog();
  for (const StatementCase& one : kStatementCases) {
    const Classification result = classify(one.sql, &known);
    EXPECT_EQ(to_string(result.statement), to_string(one.expected)) << one.sql << "\nwhy: " << result.why;
    EXPECT_EQ(result.leaves_session_state, one.expected == StatementClass::session_state) << one.sql;
    const bool harmless = one.expected == StatementClass::read || one.expected == StatementClass::empty;
    EXPECT_EQ(result.why.empty(), harmless && !result.for_primary) << one.sql << "\nwhy: " << result.why;
  }
}

TEST(StatementClass, WithoutCatalogOnlyBuiltInFunctionsAreReads) {
  EXPECT_EQ(classify("SELECT lower('A')", nullptr).statement, StatementClass::read);
  EXPECT_EQ(classify("SELECT known_safe('A')", nullptr).statement, StatementClass::write);
}

// A call of a built-in name may mean a user's function.
TEST(StatementClass, AUsersVolatileOverloadMakesABuiltInNameUnsafe) {
  const FunctionCatalog users{StringSet{"upper"}, StringSet{"lower", "random", "cube"}};
  for (const std::string_view sql : {"SELECT lower('A')", "SELECT LOWER('A')", "SELECT \"lower\"('A')",
                                     "SELECT pg_catalog.lower('A')", "SELECT random()", "SELECT cube(1)"}) {
    EXPECT_EQ(classify(sql, &users).statement, StatementClass::write) << sql;
  }
  for (const std::string_view sql :
       {"SELECT upper('A')", "SELECT \"Lower\" FROM t", "SELECT lower FROM t", "SELECT rollup(1)"}) {
    EXPECT_EQ(classify(sql, &users).statement, StatementClass::read) << sql;
  }
}

TEST(StatementClass, CatalogCannotMakeFunctionsOfThePrimaryReads) {
  const FunctionCatalog all{StringSet{"txid_current", "pg_current_xact_id", "pg_advisory_lock", "set_config"},
                            {}};
  for (const std::string_view call :
       {"txid_current()", "pg_current_xact_id()", "pg_advisory_lock(1)", "set_config('a', 'b', true)"}) {
    EXPECT_NE(classify("SELECT " + std::string(call), &all).statement, StatementClass::read) << call;
  }
}

// Wrapping a writing query, or adding comments to it, does not make it a read.
TEST(StatementClass, AWriteStaysAWriteAtEveryDepth) {
  for (const std::string_view inner :
       {"DELETE FROM t RETURNING *", "SELECT * FROM t FOR UPDATE", "SELECT nextval('s')", "SELECT f()"}) {
    std::string sql(inner);
    for (int depth = 0; depth < 200; ++depth) {
      sql = depth % 2 == 0 ? "WITH a (x) AS (" + sql + ") SELECT * FROM a"
                           : "SELECT * FROM (" + sql + ") AS q (y) WHERE (y) IN (1, 2)";
      ASSERT_EQ(classify(sql, nullptr).statement, StatementClass::write) << sql;
    }
  }
}

TEST(StatementClass, WhiteSpaceAndCommentsBetweenTokensChangeNothing) {
  for (const std::string_view gap : {" ", "\n", "\t\r\f", "/**/", "/* /* ; */ ' */", "-- '\n", " -- ;\r "}) {
    std::string sql;
    for (const std::string_view word : {"SELECT", "a", "FROM", "t", "FOR", "NO", "KEY", "UPDATE"}) {
      sql.append(word).append(gap);
    }
    EXPECT_EQ(classify(sql, nullptr).statement, StatementClass::write) << sql;
    sql = "START";
    for (const std::string_view word :
         {"TRANSACTION", "READ", "ONLY", ",", "ISOLATION", "LEVEL", "REPEATABLE", "READ"}) {
      sql.append(gap).append(word);
    }
    EXPECT_EQ(classify(sql, nullptr).statement, StatementClass::begin_read_only) << sql;
  }
}

TEST(StatementClass, DeepNestingIsClassified) {
  const std::string open(100'000, '(');
  const std::string close(100'000, ')');
  EXPECT_EQ(classify("SELECT " + open + "1" + close, nullptr).statement, StatementClass::read);
  EXPECT_EQ(classify("SELECT " + open + "f(1)" + close, nullptr).statement, StatementClass::write);
  EXPECT_EQ(classify(open + "SELECT 1" + close, nullptr).statement, StatementClass::read);
  const Classification deep = classify("SELECT " + open + "set_config('a', 'b', true)" + close, nullptr);
  EXPECT_EQ(deep.statement, StatementClass::session_state);
}

TEST(StatementClass, AListOfTenMegabytesIsARead) {
  std::string sql = "SELECT * FROM t WHERE id IN (1";
  while (sql.size() < 10'000'000) sql += ", 123456, 'abc'";
  sql += ")";
  EXPECT_EQ(classify(sql, nullptr).statement, StatementClass::read);
  EXPECT_EQ(classify(sql + " FOR UPDATE", nullptr).statement, StatementClass::write);
  EXPECT_EQ(classify(sql.substr(0, sql.size() - 1), nullptr).statement, StatementClass::write);
}

TEST(StatementClass, ManyStatementsAndManyOpenQuotesTakeLinearTime) {
  std::string many;
  std::string tags;
  std::string comments;
  while (many.size() < 2'000'000) {
    many += "SELECT 1;";
    tags += "$ab";
    comments += "/*";
  }
  EXPECT_EQ(classify(many, nullptr).statement, StatementClass::read);
  EXPECT_EQ(classify("SELECT $a$" + tags, nullptr).statement, StatementClass::write);
  EXPECT_EQ(classify("SELECT " + comments, nullptr).statement, StatementClass::write);
}

TEST(StatementClass, SeveralStatementsAreCounted) {
  EXPECT_FALSE(classify("", nullptr).several);
  EXPECT_FALSE(classify("SELECT 1;;", nullptr).several);
  EXPECT_TRUE(classify("SELECT 1; SELECT 2", nullptr).several);
  EXPECT_FALSE(classify("CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)", nullptr).several);
}

TEST(StatementClass, AnSqlFunctionBodyIsOneStatement) {
  const Classification body = classify(
      "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 2 END; "
      "END; "
      "SET a = 1",
      nullptr);
  EXPECT_TRUE(body.several);
  EXPECT_FALSE(body.may_commit);
  EXPECT_TRUE(body.changes_functions);
  EXPECT_TRUE(body.leaves_session_state);
}

TEST(StatementClass, WhatMayCommitIsSaid) {
  for (const std::string_view sql :
       {"CALL p()", "DO 'x'", "BEGIN; SELECT 1", "SELECT 1; COMMIT", "COMMIT; BEGIN", "COMMIT AND CHAIN",
        "ROLLBACK AND CHAIN", "COMMIT PREPARED 'x'", "COMMIT foo", "SELECT 1; CALL p()",
        "INSERT INTO t VALUES ('\\', '); COMMIT; --')"}) {
    EXPECT_TRUE(classify(sql, nullptr).may_commit) << sql;
  }
  for (const std::string_view sql :
       {"SELECT 1", "COMMIT", "BEGIN", "ROLLBACK", "COMMIT AND NO CHAIN", "INSERT INTO t VALUES (1)",
        "SELECT 1; SELECT 2", "INSERT INTO t VALUES ('\\d')", "SAVEPOINT a", "CREATE TABLE t (a int)"}) {
    EXPECT_FALSE(classify(sql, nullptr).may_commit) << sql;
  }
}

TEST(StatementClass, ASingleCommitIsMarked) {
  for (const std::string_view sql :
       {"COMMIT", "END;", "commit work", "COMMIT AND CHAIN", "PREPARE TRANSACTION 'x'"}) {
    EXPECT_TRUE(classify(sql, nullptr).is_commit) << sql;
  }
  for (const std::string_view sql : {"ROLLBACK", "ABORT", "COMMIT; COMMIT", "SELECT 1; COMMIT", "BEGIN",
                                     "COMMIT PREPARED 'x'", "PREPARE x AS SELECT 1"}) {
    EXPECT_FALSE(classify(sql, nullptr).is_commit) << sql;
  }
}

TEST(StatementClass, ChangesOfFunctionsAreMarked) {
  for (const std::string_view sql :
       {"CREATE FUNCTION f() RETURNS int LANGUAGE sql AS ''",
        "CREATE OR REPLACE FUNCTION f() RETURNS int AS ''", "ALTER FUNCTION f() VOLATILE",
        "DROP FUNCTION f()", "CREATE EXTENSION x", "DROP EXTENSION x", "CREATE AGGREGATE a (int) (sfunc = f)",
        "DROP ROUTINE f", "create procedure p() as ''", "SELECT 1; DROP FUNCTION f()"}) {
    EXPECT_TRUE(classify(sql, nullptr).changes_functions) << sql;
  }
  for (const std::string_view sql :
       {"CREATE TABLE t (a int)", "SELECT 1", "DROP TABLE t", "INSERT INTO function VALUES (1)"}) {
    EXPECT_FALSE(classify(sql, nullptr).changes_functions) << sql;
  }
}

TEST(StatementClass, SessionStateOfAnyStatementCounts) {
  EXPECT_TRUE(classify("BEGIN; SET a = 1; COMMIT", nullptr).leaves_session_state);
  EXPECT_TRUE(classify("SELECT 1; LISTEN a; SELECT 2", nullptr).leaves_session_state);
  EXPECT_FALSE(classify("BEGIN; SET LOCAL a = 1; COMMIT", nullptr).leaves_session_state);
}

}  // namespace
}  // namespace tidemark::routing
