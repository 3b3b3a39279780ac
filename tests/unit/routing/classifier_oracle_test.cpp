// Asks PostgreSQL's own grammar (libpg_query) about everything that classify() calls a read.

#include <gtest/gtest.h>

#if __has_include(<pg_query.h>)

#include <algorithm>
#include <cstddef>
#include <iostream>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <pg_query.h>

#include "routing/safe_functions.hpp"
#include "routing/statement_class.hpp"
#include "routing/word_table.hpp"
#include "tests/unit/routing/statement_cases.hpp"

namespace tidemark::routing {
namespace {

const FunctionCatalog& catalog() {
  static const FunctionCatalog known{StringSet{"known_safe", "Known Safe"}};
  return known;
}

enum class Verdict { invalid, read, not_a_read };

bool is_known_function(std::string_view name) {
  // What the grammar makes of EXTRACT, TRIM and other forms with a syntax of their own.
  for (const std::string_view special :
       {"extract", "btrim", "overlay", "position", "substring", "pg_collation_for", "timezone", "like_escape",
        "similar_to_escape", "xmlexists", "normalize", "is_normalized", "system", "bernoulli"}) {
    if (name == special) return true;
  }
  // The built-in list folds; here the case is the real one.
  if (std::any_of(name.begin(), name.end(), [](char c) { return c >= 'A' && c <= 'Z'; })) {
    return catalog().is_safe(name);
  }
  const FunctionKind kind = built_in_function(name, WordHash::of(name));
  return kind == FunctionKind::non_volatile || kind == FunctionKind::harmless || catalog().is_safe(name);
}

// The last name of every "funcname" list.
bool calls_only_known_functions(std::string_view tree) {
  constexpr std::string_view kCall = "\"FuncCall\":{\"funcname\":[";
  constexpr std::string_view kValue = "\"sval\":\"";
  for (std::size_t at = tree.find(kCall); at != std::string_view::npos; at = tree.find(kCall, at + 1)) {
    const std::string_view list = tree.substr(at, tree.find(']', at) - at);
    const std::size_t value = list.rfind(kValue);
    if (value == std::string_view::npos) return false;
    const std::string_view name = list.substr(value + kValue.size());
    if (!is_known_function(name.substr(0, name.find('"')))) return false;
  }
  return true;
}

bool begins_like(std::string_view text, std::initializer_list<std::string_view> starts) {
  for (const std::string_view start : starts) {
    if (text.starts_with(start)) return true;
  }
  return false;
}

Verdict judge(const std::string& sql) {
  const PgQueryParseResult result = pg_query_parse(sql.c_str());
  const bool invalid = result.error != nullptr;
  const std::string tree = invalid ? std::string() : std::string(result.parse_tree);
  pg_query_free_parse_result(result);
  if (invalid) return Verdict::invalid;
  for (const std::string_view forbidden :
       {"\"InsertStmt\"", "\"UpdateStmt\"", "\"DeleteStmt\"", "\"MergeStmt\"", "\"lockingClause\"",
        "\"intoClause\"", "\"is_from\":true", "\"is_program\":true", "\"filename\"",
        "\"defname\":\"analyze\""}) {
    if (tree.find(forbidden) != std::string::npos) return Verdict::not_a_read;
  }
  constexpr std::string_view kStatement = "\"stmt\":{";
  for (std::size_t at = tree.find(kStatement); at != std::string::npos; at = tree.find(kStatement, at + 1)) {
    const std::string_view kind = std::string_view(tree).substr(at + kStatement.size());
    if (!begins_like(kind, {"\"SelectStmt\"", "\"VariableShowStmt\"", "\"CopyStmt\"", "\"ExplainStmt\""})) {
      return Verdict::not_a_read;
    }
  }
  constexpr std::string_view kExplained = "\"ExplainStmt\":{\"query\":{";
  const std::size_t explained = tree.find(kExplained);
  if (explained != std::string::npos &&
      !tree.substr(explained + kExplained.size()).starts_with("\"SelectStmt\"")) {
    return Verdict::not_a_read;
  }
  return calls_only_known_functions(tree) ? Verdict::read : Verdict::not_a_read;
}

bool called_read(std::string_view sql) {
  return classify(sql, &catalog()).statement == StatementClass::read;
}

/// Text that is valid and not a read must never be called one; invalid text is refused by any server.
void expect_no_false_read(const std::string& sql) {
  if (called_read(sql)) {
    EXPECT_NE(judge(sql), Verdict::not_a_read) << sql;
  }
}

/// Random statements, always the same ones. The standard's distributions differ between libraries, so only
/// the engine is used.
class Generator {
 public:
  explicit Generator(std::uint32_t seed) : engine_(seed) {}

  std::size_t below(std::size_t bound) { return engine_() % bound; }

  std::string statement() {
    std::string sql = one_statement();
    while (below(8) == 0) {
      sql += ';';
      sql += gap();
      sql += one_statement();
    }
    return sql;
  }

 private:
  bool chance(std::size_t one_in) { return below(one_in) == 0; }

  std::string pick(std::initializer_list<std::string> choices) {
    return choices.begin()[below(choices.size())];
  }

  std::string gap() { return pick({" ", " ", " ", "\n", "/* ; */", " -- x\n", "\t", "/*/**/*/"}); }

  std::string one_statement() {
    switch (below(14)) {
      case 0:
        return "EXPLAIN " + pick({"", "VERBOSE ", "(COSTS off) ", "(ANALYZE) ", "ANALYZE "}) + query(2);
      case 1:
        return "COPY (" + query(2) + ") TO " +
               pick({"STDOUT", "STDOUT", "STDOUT WITH (FORMAT csv)", "'x'", "PROGRAM 'x'"});
      case 2:
        return pick({"BEGIN", "COMMIT", "SET a = 1", "SHOW a", "DELETE FROM t", "INSERT INTO t VALUES (1)",
                     "CALL p()"});
      default:
        return query(3);
    }
  }

  std::string query(int depth) {
    std::string sql = depth > 0 && chance(4) ? with(depth) : "";
    sql += simple_query(depth);
    if (chance(8)) sql += gap() + pick({"UNION", "EXCEPT ALL", "INTERSECT"}) + gap() + simple_query(depth);
    if (chance(5)) sql += gap() + "ORDER BY 1" + (chance(2) ? ", " + expression(depth - 1) : "");
    if (chance(6)) sql += gap() + "LIMIT (2)";
    if (chance(12)) {
      sql += gap() + "FOR" + gap() +
             pick({"UPDATE", "SHARE", "NO KEY UPDATE", "KEY" + gap() + "SHARE", "READ ONLY"});
    }
    return sql;
  }

  std::string with(int depth) {
    std::string sql = "WITH" + gap() + (chance(4) ? "RECURSIVE" + gap() : "");
    for (std::size_t i = 0, count = 1 + below(3); i < count; ++i) {
      if (i != 0) sql += ",";
      sql += gap() + pick({"c", "\"C\"", "lower", "over"}) + std::to_string(i) +
             (chance(2) ? gap() + "(x)" : "") + gap() + "AS" + gap() +
             pick({"", "MATERIALIZED ", "NOT MATERIALIZED "}) + "(" +
             (chance(8) ? pick({"DELETE FROM t RETURNING a", "INSERT INTO t VALUES (1) RETURNING a",
                                "UPDATE t SET a = 1 RETURNING a"})
                        : query(depth - 1)) +
             ")";
    }
    return sql + gap();
  }

  std::string simple_query(int depth) {
    switch (below(8)) {
      case 0:
        return "VALUES (" + expression(depth) + ")";
      case 1:
        return "TABLE t";
      case 2:
        if (depth > 0) return "(" + query(depth - 1) + ")";
        break;
      default:
        break;
    }
    std::string sql =
        "SELECT" + gap() + expression(depth) + (chance(3) ? ", " + expression(depth) + " AS " + label() : "");
    if (chance(30)) sql += gap() + "INTO" + gap() + pick({"x", "TEMP x", "UNLOGGED TABLE x"});
    if (chance(2)) sql += gap() + "FROM" + gap() + source(depth);
    if (chance(3)) sql += gap() + "WHERE" + gap() + expression(depth) + gap() + "IN (1, 2)";
    if (chance(8))
      sql += gap() + "GROUP BY " + pick({"a", "(a)", "ROLLUP (a)", "GROUPING SETS ((a), ())", "CUBE (a, b)"});
    return sql;
  }

  std::string source(int depth) {
    switch (below(7)) {
      case 0:
        return "t, u AS v (x)";
      case 1:
        return "t JOIN (" + query(depth > 0 ? depth - 1 : 0) + ") AS j USING (a)";
      case 2:
        return "t LEFT JOIN u ON (t.a = u.a)";
      case 3:
        return "t TABLESAMPLE " + pick({"system", "bernoulli", "other"}) + " (1)";
      case 4:
        return call(depth) + " AS f (x)";
      case 5:
        return "\"FOR UPDATE\" AS \"INSERT\"";
      default:
        return "t";
    }
  }

  std::string label() { return pick({"x", "\"INTO\"", "y", "\"x\"\"y\""}); }

  std::string call(int depth) {
    const std::string name =
        pick({"lower", "count", "pg_catalog.upper", "\"lower\"", "known_safe", "\"Known Safe\"", "now",
              "left", "nextval", "unknown", "\"Count\"", "s.lower", "over", "operator", "treat_"});
    return name + (chance(6) ? gap() : "") + "(" + (chance(2) ? expression(depth - 1) : "") + ")";
  }

  std::string expression(int depth) {
    if (depth <= 0) return atom();
    switch (below(14)) {
      case 0:
        return call(depth);
      case 1:
        return call(depth) + " OVER (PARTITION BY (a) ORDER BY (b))";
      case 2:
        return call(depth) + " FILTER (WHERE true)";
      case 3:
        return "(" + query(depth - 1) + ")";
      case 4:
        return "EXISTS (" + query(depth - 1) + ")";
      case 5:
        return expression(depth - 1) +
               "::" + pick({"numeric(10,2)", "text", "varchar (3)", "s.t(1)", "int[]"});
      case 6:
        return "CAST(" + expression(depth - 1) + " AS " + pick({"int", "numeric(3)", "other(3)"}) + ")";
      case 7:
        return "CASE WHEN (" + expression(depth - 1) + ") IS NULL THEN (1) ELSE (2) END";
      case 8:
        return "substring(" + expression(depth - 1) + " FROM 1 FOR 2)";
      case 9:
        return expression(depth - 1) + gap() +
               pick({"+", "||", "LIKE", "ILIKE", "OPERATOR(pg_catalog.+)", "="}) + gap() + "(" + atom() + ")";
      case 10:
        return "ARRAY[" + expression(depth - 1) + ", 1]";
      case 11:
        return pick({"COALESCE", "GREATEST", "ROW", "extract(epoch FROM now()) + LEAST"}) + "(" +
               expression(depth - 1) + ", 2)";
      default:
        return atom();
    }
  }

  std::string atom() {
    return pick({"1", "a", "t.a", "\"a\"", "$1", "'x'", "'it''s; DELETE'", "E'\\';'", "$$;$$",
                 "$q$ FOR UPDATE $q$", "U&'\\0061'", "-1.5e3", "current_timestamp", "NULL", "'a'\n'b'",
                 "t.update", "B'1'", "true"});
  }

  std::mt19937 engine_;
};

TEST(ClassifierOracle, EveryReadOfTheTableIsOneForPostgres) {
  for (const StatementCase& one : kStatementCases) {
    // libpg_query, unlike the server, refuses a comment behind a string that goes on in another line.
    const bool refused = one.sql.find("' -- c\n") != std::string_view::npos;
    if (one.expected == StatementClass::read && !refused) {
      EXPECT_EQ(judge(std::string(one.sql)), Verdict::read) << one.sql;
    }
    expect_no_false_read(std::string(one.sql));
  }
}

TEST(ClassifierOracle, NoTruncationOfAStatementBecomesAFalseRead) {
  for (const StatementCase& one : kStatementCases) {
    for (std::size_t size = 0; size < one.sql.size(); ++size)
      expect_no_false_read(std::string(one.sql.substr(0, size)));
  }
}

TEST(ClassifierOracle, NoGeneratedStatementIsAFalseRead) {
  Generator generator(20'240'607);
  std::size_t valid = 0;
  std::size_t reads = 0;
  std::size_t missed = 0;
  for (int i = 0; i < 6000; ++i) {
    const std::string sql = generator.statement();
    const Verdict verdict = judge(sql);
    const bool read = called_read(sql);
    EXPECT_FALSE(read && verdict == Verdict::not_a_read) << sql;
    if (verdict == Verdict::invalid) continue;
    ++valid;
    if (verdict != Verdict::read) continue;
    ++reads;
    if (!read) {
      ++missed;
      if (missed <= 5)
        std::cout << "read called a write (" << classify(sql, &catalog()).why << "): " << sql << '\n';
    }
  }
  std::cout << valid << " valid statements, " << reads << " true reads, " << missed
            << " of them called writes\n";
  EXPECT_GT(valid, 3000U);
  EXPECT_GT(reads, 500U);
}

// Statements of the table with bytes changed, taken out, doubled or spliced from another one.
TEST(ClassifierOracle, NoMutationOfAStatementIsAFalseRead) {
  constexpr std::string_view kBytes = "'\"$()/*-;\\ \nEUeuFOR,.:[]x1&";
  constexpr std::size_t kCases = std::size(kStatementCases);
  Generator random(42);
  for (int i = 0; i < 20'000; ++i) {
    std::string sql(kStatementCases[random.below(kCases)].sql);
    for (std::size_t changes = 1 + random.below(3); changes != 0 && !sql.empty(); --changes) {
      const std::size_t at = random.below(sql.size());
      switch (random.below(5)) {
        case 0:
          sql[at] = kBytes[random.below(kBytes.size())];
          break;
        case 1:
          sql.erase(at, 1 + random.below(4));
          break;
        case 2:
          sql.insert(at, 1, kBytes[random.below(kBytes.size())]);
          break;
        case 3:
          sql.insert(at, sql.substr(random.below(sql.size()), random.below(12)));
          break;
        default:
          sql = sql.substr(0, at) + " " + std::string(kStatementCases[random.below(kCases)].sql);
          break;
      }
    }
    if (sql.find('\0') == std::string::npos) expect_no_false_read(sql);
  }
}

}  // namespace
}  // namespace tidemark::routing

#else

TEST(ClassifierOracle, NeedsLibpgQuery) {
  GTEST_SKIP() << "libpg_query was not found";
}

#endif
