// Asks PostgreSQL's own grammar (libpg_query) about everything that classify() says.
//
// TIDEMARK_ORACLE_INPUTS=10000000 sets how many mutated inputs are tried, TIDEMARK_ORACLE_SEED=1 which ones.

#include <gtest/gtest.h>

#if __has_include(<pg_query.h>)

#include <cstdlib>
#include <iostream>
#include <set>

#include "routing/sql_bytes.hpp"
#include "tests/unit/routing/parse_oracle.hpp"
#include "tests/unit/routing/statement_cases.hpp"
#include "tests/unit/routing/statement_generator.hpp"

namespace tidemark::routing {
namespace {

Classification found(std::string_view sql) {
  return classify(sql, &known_functions().catalog());
}

/// What the grammar at hand refuses and another version, or the server's scanner, accepts.
bool is_of_another_version(std::string_view sql) {
  for (const std::string_view part : {"' -- c\n", "it\\'s", " 1a", "0x1F", "$1a", "RETURNING int"}) {
    if (sql.find(part) != std::string_view::npos) return true;
  }
  return false;
}

/// One statement a line, as applications, drivers and tools send them; all are reads.
std::vector<std::string> application_reads() {
  std::ifstream file(TIDEMARK_TEST_DATA "/routing/application_reads.sql");
  std::vector<std::string> result;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty() && !line.starts_with("--")) result.push_back(line);
  }
  return result;
}

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* const value = std::getenv(name);
  return value == nullptr ? otherwise : std::strtoull(value, nullptr, 10);
}

/// Counts true reads, and those of them that are called something else.
class Precision {
 public:
  void add(const std::string& sql, const Truth& truth, const Classification& result) {
    if (!truth.read) return;
    ++reads_;
    if (result.statement == StatementClass::read) return;
    if (++missed_ <= 20)
      std::cout << "a read called " << to_string(result.statement) << " (" << result.why << "): " << sql
                << '\n';
  }
  void print(std::string_view what) const {
    std::cout << what << ": " << reads_ << " true reads, " << missed_ << " of them called something else\n";
  }
  [[nodiscard]] std::size_t reads() const { return reads_; }
  [[nodiscard]] double missed_percent() const {
    return 100.0 * static_cast<double>(missed_) / static_cast<double>(reads_);
  }

 private:
  std::size_t reads_ = 0;
  std::size_t missed_ = 0;
};

TEST(ClassifierOracle, EveryReadOfTheTableIsOneForPostgres) {
  for (const StatementCase& one : kStatementCases) {
    const std::string sql(one.sql);
    const Truth truth = TruthFinder::of(sql);
    if (one.expected == StatementClass::read && !is_of_another_version(one.sql)) {
      EXPECT_TRUE(truth.read) << sql;
    }
    EXPECT_EQ(contradiction(truth, found(sql)), "") << sql;
  }
}

TEST(ClassifierOracle, NoTruncationOfAStatementIsMisunderstood) {
  for (const StatementCase& one : kStatementCases) {
    for (std::size_t size = 0; size < one.sql.size(); ++size) {
      const std::string sql(one.sql.substr(0, size));
      EXPECT_EQ(contradiction(TruthFinder::of(sql), found(sql)), "") << sql;
    }
  }
}

TEST(ClassifierOracle, WhatApplicationsReadIsARead) {
  Precision precision;
  for (const std::string& sql : application_reads()) {
    const Truth truth = TruthFinder::of(sql);
    EXPECT_TRUE(truth.read) << sql;
    EXPECT_EQ(contradiction(truth, found(sql)), "") << sql;
    precision.add(sql, truth, found(sql));
  }
  precision.print("applications");
  EXPECT_LE(precision.missed_percent(), 2.0);
}

TEST(ClassifierOracle, NoGeneratedStatementIsMisunderstood) {
  StatementGenerator generator(20'261'121);
  Precision precision;
  std::set<std::string> distinct;
  std::size_t generated = 0;
  for (; generated < 20'000; ++generated) {
    const std::string sql = generator.statement();
    const Truth truth = TruthFinder::of(sql);
    if (!truth.valid || !distinct.insert(sql).second) continue;
    EXPECT_EQ(contradiction(truth, found(sql)), "") << sql;
    precision.add(sql, truth, found(sql));
  }
  std::cout << generated << " generated statements, " << distinct.size() << " of them valid and distinct\n";
  precision.print("generated");
  EXPECT_GE(distinct.size(), 5000U);
  EXPECT_GE(precision.reads(), 2500U);
  EXPECT_LE(precision.missed_percent(), 2.0);
}

/// Changes bytes and tokens of known statements.
class Mutator {
 public:
  explicit Mutator(std::uint64_t seed) : random_(seed) {
    for (const StatementCase& one : kStatementCases) corpus_.emplace_back(one.sql);
    for (std::string& sql : application_reads()) corpus_.push_back(std::move(sql));
    StatementGenerator generator(seed);
    for (int i = 0; i < 4000; ++i) {
      std::string sql = generator.statement();
      if (sql.size() < 400) corpus_.push_back(std::move(sql));
    }
  }

  std::string next() {
    std::string sql = any();
    for (std::size_t changes = std::max<std::size_t>(random_.below(4), 1); changes != 0; --changes)
      change(sql);
    std::erase(sql, '\0');
    return sql;
  }

 private:
  const std::string& any() { return corpus_[random_.below(corpus_.size())]; }

  void change(std::string& sql) {
    if (sql.empty()) return;
    constexpr std::string_view kBytes = "'\"$()/*-;\\ \nEUeuFORnxb,.:[]x1&_%{\t";
    const std::size_t at = random_.below(sql.size());
    switch (random_.below(8)) {
      case 0:
        sql[at] = kBytes[random_.below(kBytes.size())];
        break;
      case 1:
        sql.erase(at, 1 + random_.below(4));
        break;
      case 2:
        sql.insert(at, 1, kBytes[random_.below(kBytes.size())]);
        break;
      case 3:
        sql.insert(at, sql.substr(random_.below(sql.size()), random_.below(12)));
        break;
      case 4: {
        const std::string& other = any();
        sql = sql.substr(0, at) + " " + other.substr(random_.below(other.size() + 1));
        break;
      }
      default:
        change_token(sql);
        break;
    }
  }

  // One token or two taken out, doubled, or replaced by a word or by a piece of another statement.
  void change_token(std::string& sql) {
    const auto [begin, end] = token(sql);
    switch (random_.below(6)) {
      case 0:
        sql.erase(begin, end - begin);
        break;
      case 1:
        sql.insert(end, " " + sql.substr(begin, end - begin));
        break;
      case 2:
        sql.replace(begin, end - begin, word());
        break;
      case 3:
        sql.insert(begin, word() + " ");
        break;
      case 4:
        sql.insert(end, " " + word() + (random_.below(2) == 0 ? " my_function(1)" : " (1)"));
        break;
      default: {
        const std::string& other = any();
        if (other.empty()) break;
        const auto [first, last] = token(other);
        sql.replace(begin, end - begin, other.substr(first, last - first));
        break;
      }
    }
  }

  std::pair<std::size_t, std::size_t> token(const std::string& sql) {
    std::size_t begin = random_.below(sql.size());
    while (begin != 0 && is_identifier_byte(sql[begin - 1]) && is_identifier_byte(sql[begin])) --begin;
    std::size_t end = begin + 1;
    while (end < sql.size() && is_identifier_byte(sql[begin]) && is_identifier_byte(sql[end])) ++end;
    return {begin, end};
  }

  std::string word() {
    static constexpr std::string_view kWords[] = {"SELECT",
                                                  "INSERT",
                                                  "INTO",
                                                  "UPDATE",
                                                  "DELETE",
                                                  "FOR",
                                                  "SHARE",
                                                  "KEY",
                                                  "NO",
                                                  "WITH",
                                                  "AS",
                                                  "RECURSIVE",
                                                  "MATERIALIZED",
                                                  "NOT",
                                                  "VALUES",
                                                  "TABLE",
                                                  "UNION",
                                                  "ON",
                                                  "DISTINCT",
                                                  "LIKE",
                                                  "ILIKE",
                                                  "OVER",
                                                  "FILTER",
                                                  "CUBE",
                                                  "ROLLUP",
                                                  "GROUP BY",
                                                  "ORDER BY",
                                                  "LIMIT",
                                                  "FETCH FIRST",
                                                  "ROWS ONLY",
                                                  "my_function",
                                                  "lower",
                                                  "nextval",
                                                  "pg_advisory_lock",
                                                  "set_config",
                                                  "pg_temp",
                                                  "TEMP",
                                                  "version",
                                                  "value",
                                                  "name",
                                                  "passing",
                                                  "ref",
                                                  "path",
                                                  "ordinality",
                                                  "document",
                                                  "content",
                                                  "range",
                                                  "rows",
                                                  "groups",
                                                  "between",
                                                  "at",
                                                  "time",
                                                  "zone",
                                                  "local",
                                                  "session",
                                                  "role",
                                                  "set",
                                                  "reset",
                                                  "execute",
                                                  "p1",
                                                  "true",
                                                  "END",
                                                  "CASE",
                                                  "uescape '!'",
                                                  "zone",
                                                  "OPERATOR(pg_catalog.+)",
                                                  "::",
                                                  ".",
                                                  ",",
                                                  "(",
                                                  ")",
                                                  "[",
                                                  "]",
                                                  ";",
                                                  "U&\"x\"",
                                                  "U&'x'",
                                                  "E'\\''",
                                                  "'\\'",
                                                  "$1",
                                                  "1",
                                                  "*",
                                                  "-",
                                                  "--",
                                                  "/*",
                                                  "*/",
                                                  "''",
                                                  "\"pg_temp\".",
                                                  "JOIN",
                                                  "LATERAL",
                                                  "ROWS FROM",
                                                  "COLLATE",
                                                  "OVERLAPS",
                                                  "IN",
                                                  "ANY",
                                                  "WITHIN GROUP",
                                                  "TABLESAMPLE",
                                                  "SEARCH DEPTH FIRST BY a SET",
                                                  "escape",
                                                  "similar to",
                                                  "isnull",
                                                  "is",
                                                  "nulls first",
                                                  "column",
                                                  "first",
                                                  "next",
                                                  "last",
                                                  "none",
                                                  "within",
                                                  "without",
                                                  "hold",
                                                  "extract",
                                                  "interval",
                                                  "timestamp",
                                                  "xmlroot",
                                                  "xmltable",
                                                  "xmlelement",
                                                  "columns",
                                                  "substring",
                                                  "array",
                                                  "row",
                                                  "exists",
                                                  "binary",
                                                  "varying",
                                                  "character",
                                                  "precision",
                                                  "double",
                                                  "verbose",
                                                  "analyze",
                                                  "explain",
                                                  "treat",
                                                  "merge",
                                                  "symmetric",
                                                  "collation",
                                                  "sets",
                                                  "grouping",
                                                  "only",
                                                  "using",
                                                  "window",
                                                  "partition by"};
    return std::string(kWords[random_.below(std::size(kWords))]);
  }

  StatementGenerator random_;
  std::vector<std::string> corpus_;
};

TEST(ClassifierOracle, NoMutationOfAStatementIsMisunderstood) {
  const std::uint64_t inputs = number_from_environment("TIDEMARK_ORACLE_INPUTS", 30'000);
  const std::uint64_t seed = number_from_environment("TIDEMARK_ORACLE_SEED", 42);
  Mutator mutator(seed);
  std::uint64_t valid = 0;
  std::uint64_t reads = 0;
  std::uint64_t disagreements = 0;
  for (std::uint64_t i = 0; i < inputs; ++i) {
    const std::string sql = mutator.next();
    const Truth truth = TruthFinder::of(sql);
    if (!truth.valid) {
      static_cast<void>(found(sql));
      continue;
    }
    ++valid;
    const Classification result = found(sql);
    if (result.statement == StatementClass::read) ++reads;
    const std::string_view wrong = contradiction(truth, result);
    if (wrong.empty()) continue;
    if (++disagreements <= 50) ADD_FAILURE() << wrong << ": " << sql;
  }
  std::cout << inputs << " inputs from seed " << seed << ", " << valid << " that parse, " << reads
            << " called reads, " << disagreements << " disagreements\n";
  EXPECT_EQ(disagreements, 0U);
  EXPECT_GT(valid, inputs / 10);
}

}  // namespace
}  // namespace tidemark::routing

#else

TEST(ClassifierOracle, NeedsLibpgQuery) {
  GTEST_SKIP() << "libpg_query was not found";
}

#endif
