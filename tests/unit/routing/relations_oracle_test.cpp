// Asks PostgreSQL's own grammar (libpg_query) which relations a query names: all of them have to be reported.
//
// TIDEMARK_ORACLE_INPUTS=10000000 sets how many mutated inputs are tried, TIDEMARK_ORACLE_SEED=1 which ones.

#include <gtest/gtest.h>

#if __has_include(<pg_query.h>)

#include <cstdint>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "routing/statement_relations.hpp"
#include "tests/unit/routing/parse_oracle.hpp"
#include "tests/unit/routing/statement_cases.hpp"
#include "tests/unit/routing/statement_generator.hpp"

namespace tidemark::routing {
namespace {

using Names = std::set<std::string>;

void collect(const Json& node, Names& names) {
  for (const auto& [name, value] : node.members) {
    if (name == "LockingClause") continue;  // FOR UPDATE OF: names of this query's own
    // "relation" is a RangeVar without its name around it.
    if (value.find("relname") != nullptr) {
      const std::string schema(value.text_of("schemaname"));
      names.insert((schema.empty() ? "" : schema + '.') + std::string(value.text_of("relname")));
    }
    collect(value, names);
  }
}

/// Of a text in which every statement is a query, a change of data or a COPY; `valid`: it is one.
Names true_relations(const std::string& sql, bool& valid) {
  Names names;
  const PgQueryParseResult result = pg_query_parse(sql.c_str());
  valid = result.error == nullptr;
  if (valid) {
    const std::string tree(result.parse_tree);
    const Json root = JsonReader(tree).value();
    if (const Json* const statements = root.find("stmts")) {
      for (const auto& one : statements->members) {
        const Json* const statement = one.second.find("stmt");
        if (statement == nullptr || statement->members.empty()) continue;
        const std::string_view kind = statement->members.front().first;
        for (const std::string_view known :
             {"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CopyStmt", "ExplainStmt",
              "DeclareCursorStmt", "PrepareStmt"}) {
          if (kind == known) collect(*statement, names);
        }
      }
    }
  }
  pg_query_free_parse_result(result);
  return names;
}

Names reported(std::string_view sql) {
  Names names;
  StatementRelations relations(sql);
  while (const auto relation = relations.next()) names.insert(to_string(*relation));
  return names;
}

struct Count {
  std::size_t texts = 0;
  std::size_t named = 0;
  std::size_t reported = 0;  ///< without those that are named
};

void check(const std::string& sql, Count& count) {
  bool valid = false;
  const Names expected = true_relations(sql, valid);
  if (!valid) return;
  const Names found = reported(sql);
  ++count.texts;
  count.named += expected.size();
  for (const std::string& name : found) count.reported += expected.contains(name) ? 0U : 1U;
  for (const std::string& name : expected) {
    if (name.find('\\') != std::string::npos) continue;  // an escape of the tree's text
    EXPECT_TRUE(found.contains(name)) << "not reported: " << name << " of " << sql;
  }
}

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

std::vector<std::string> known_texts() {
  std::vector<std::string> texts;
  for (const StatementCase& one : kStatementCases) texts.emplace_back(one.sql);
  std::ifstream file(TIDEMARK_TEST_DATA "/routing/application_reads.sql");
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && !line.starts_with("--")) texts.push_back(line);
  }
  return texts;
}

TEST(RelationsOracle, NoneOfAKnownStatementIsMissed) {
  Count count;
  for (const std::string& sql : known_texts()) check(sql, count);
  std::cout << count.texts << " texts, " << count.named << " relations, " << count.reported
            << " more reported\n";
  EXPECT_GE(count.named, 250U);
  EXPECT_LE(count.reported * 5, count.named);
}

TEST(RelationsOracle, NoneOfAGeneratedStatementIsMissed) {
  StatementGenerator generator(20'261'125);
  Count count;
  for (int i = 0; i < 10'000; ++i) check(generator.statement(), count);
  std::cout << count.texts << " texts, " << count.named << " relations, " << count.reported
            << " more reported\n";
  EXPECT_GE(count.named, 5000U);
  EXPECT_LE(count.reported * 10, count.named);
}

TEST(RelationsOracle, NoneIsMissedWhereTokensWereSwappedOrLeftOut) {
  const std::uint64_t seed = number_from_environment("TIDEMARK_ORACLE_SEED", 7);
  std::mt19937_64 random(seed);
  const auto below = [&random](std::size_t bound) { return random() % bound; };
  std::vector<std::string> corpus = known_texts();
  StatementGenerator generator(seed);
  for (int i = 0; i < 4000; ++i) {
    if (std::string sql = generator.statement(); sql.size() < 300) corpus.push_back(std::move(sql));
  }
  Count count;
  for (std::uint64_t i = number_from_environment("TIDEMARK_ORACLE_INPUTS", 60'000); i != 0; --i) {
    const std::string& text = corpus[below(corpus.size())];
    std::vector<std::string_view> tokens;
    SqlScanner scanner(text);
    for (Token token = scanner.next(); token.kind != TokenKind::end; token = scanner.next()) {
      const bool quoted = token.kind == TokenKind::quoted_word;
      tokens.emplace_back(token.text.data() - (quoted ? 1 : 0), token.text.size() + (quoted ? 2U : 0U));
    }
    if (tokens.empty() || scanner.doubtful()) continue;
    constexpr std::string_view kWords[] = {
        "from",    "join",   ",",      "(", ")",  "payments", "is",    "using", "on",  "table",   "only",
        "lateral", "select", "values", ".", "as", "where",    "union", "with",  "not", "distinct"};
    for (std::size_t changes = 1 + below(3); changes != 0; --changes) {
      std::string_view& one = tokens[below(tokens.size())];
      if (below(2) == 0) {
        std::swap(one, tokens[below(tokens.size())]);
      } else {
        one = below(4) == 0 ? std::string_view{} : kWords[below(std::size(kWords))];
      }
    }
    std::string sql;
    for (const std::string_view token : tokens) sql += std::string(token) + ' ';
    check(sql, count);
  }
  std::cout << count.texts << " valid texts, " << count.named << " relations, " << count.reported
            << " more reported\n";
  EXPECT_GE(count.texts, 2000U);
}

}  // namespace
}  // namespace tidemark::routing

#else

TEST(RelationsOracle, NeedsLibpgQuery) {
  GTEST_SKIP() << "libpg_query is not installed";
}

#endif
