#include "routing/statement_relations.hpp"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace tidemark::routing {
namespace {

/// The relations in their order, "?" for one that is not clear.
std::string found(std::string_view sql) {
  StatementRelations relations(sql);
  std::string text;
  while (const auto relation = relations.next()) {
    if (!text.empty()) text += ' ';
    text += relation->unclear ? "?" : to_string(*relation);
  }
  EXPECT_FALSE(relations.next()) << "after the end";
  return text;
}

struct Case {
  std::string_view sql;
  std::string_view expected;
};

TEST(StatementRelations, AreSeenWhereARelationCanStand) {
  constexpr Case kCases[] = {
      {"", ""},
      {"SELECT 1", ""},
      {"SELECT payments", ""},
      {"SELECT * FROM payments", "payments"},
      {"select a.b, c from Payments", "payments"},
      {"SELECT * FROM \"Payments\" p", "Payments"},
      {"SELECT * FROM accounting.payments", "accounting.payments"},
      {"SELECT * FROM Shop.Accounting.Payments", "accounting.payments"},
      {"SELECT * FROM accounting . /* x */ \"Pay\"\"ments\"", "accounting.Pay\"ments"},
      {"SELECT * FROM a, b AS x, \"C\" (y), d.e", "a b d.e"},
      {"SELECT * FROM a AS x (y, z), b", "a b"},
      {"SELECT * FROM a x JOIN b y ON x.i = y.i, c", "a b c"},
      {"SELECT * FROM a JOIN b USING (id, name), c", "a b c"},
      {"SELECT * FROM a NATURAL JOIN b CROSS JOIN c LEFT OUTER JOIN d ON true", "a b c d"},
      {"SELECT * FROM a JOIN (b JOIN c ON b.x = c.x) ON a.x = b.x, d", "a b c d"},
      {"SELECT * FROM ((a CROSS JOIN b) CROSS JOIN c), d", "a b c d"},
      {"SELECT * FROM a TABLESAMPLE system (10) REPEATABLE (1), b", "a b"},
      {"SELECT * FROM ONLY a, ONLY (b), c *, d", "a b c d"},
      {"SELECT * FROM a WHERE x IN (SELECT y FROM b, c) ORDER BY x, d", "a b c"},
      {"SELECT (SELECT max(x) FROM b), c FROM a", "b a"},
      {"SELECT * FROM (SELECT * FROM a, b) s, c", "a b c"},
      {"SELECT * FROM (SELECT x, y FROM a) s (z, w), LATERAL (SELECT s.x, s.y FROM b) t", "a b"},
      {"SELECT x FROM a UNION SELECT y, z FROM b EXCEPT (TABLE c) ORDER BY x, y", "a b c"},
      {"TABLE a", "a"},
      {"TABLE ONLY s.a ORDER BY x, y", "s.a"},
      {"VALUES (a, b), (c, (SELECT d FROM e))", "e"},
      {"SELECT * FROM (VALUES (x), (y)) v, a", "a"},
      {"SELECT * FROM a values, b", "a b"},
      {"SELECT * FROM values, b", "values b"},
      {"SELECT ARRAY(SELECT x FROM a), ARRAY[b, c] FROM d", "a d"},
      {"SELECT ARRAY[x, y] FROM a, b WHERE z[1] = 2", "a b"},
      {"SELECT EXISTS (SELECT FROM a)", "a"},
      {"SELECT x FROM a GROUP BY b, c HAVING d > 1 WINDOW w AS (PARTITION BY e, f) LIMIT 1 OFFSET g", "a"},
      {"SELECT x FROM a FETCH FIRST 5 ROWS ONLY", "a"},
      {"SELECT x FROM a JOIN b ON CASE WHEN a.x = 1 THEN true ELSE false END, c", "a b c"},
      {"SELECT x FROM a JOIN b ON a.x BETWEEN 1 AND 2 AND b.y IN (1, 2), c", "a b c"},
      {"WITH x AS (SELECT * FROM a) SELECT * FROM x, b", "a x b"},
      {"WITH RECURSIVE x (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM x, a) SELECT * FROM x", "x a x"},
      {"WITH d AS (DELETE FROM a USING b, c WHERE true RETURNING *) SELECT * FROM d", "a b c d"},
      {"EXPLAIN (ANALYZE, BUFFERS) SELECT * FROM a, b", "a b"},
      {"DECLARE c CURSOR FOR SELECT * FROM a", "a"},
      {"PREPARE p (int) AS SELECT * FROM a WHERE x = $1", "a"},
      {"COPY a TO STDOUT", "a"},
      {"COPY s.a (x, y) TO STDOUT", "s.a"},
      {"COPY (SELECT x, y FROM a, b) TO STDOUT (FORMAT csv)", "a b"},
      {"SELECT * FROM a; ; SELECT * FROM b; COPY c TO STDOUT", "a b c"},
      {"SELECT 1 FROM a, (SELECT 2; SELECT * FROM b, c", "a b c"},
      {"INSERT INTO a (x, y) SELECT z, w FROM b", "a b"},
      {"INSERT INTO s.a AS t VALUES (1, 2), (3, 4) ON CONFLICT (x) DO UPDATE SET y = 1, z = 2", "s.a"},
      {"UPDATE ONLY a SET x = 1, y = 2 FROM b, c WHERE true", "a b c"},
      {"UPDATE a AS t SET x = (SELECT y FROM b)", "a b"},
      {"DELETE FROM a USING b, c WHERE a.x = b.x RETURNING d, e", "a b c"},
      {"DELETE FROM a USING (b JOIN c ON true)", "a b c"},
      {"MERGE INTO a USING b ON a.x = b.x WHEN MATCHED THEN DELETE", "a b"},
      {"CREATE TABLE a AS SELECT * FROM b", "a b"},
      {"TRUNCATE TABLE a", "a"},
      {"SELECT * FROM a -- , b\n, c /* , d /* , e */ */, f", "a c f"},
      {"SELECT ', b FROM c', $$ FROM d $$ FROM a", "a"},
      {"SELECT * FROM \xC3\xA4, \"\xC3\x84\"", "\xC3\xA4 \xC3\x84"},
  };
  for (const Case& one : kCases) EXPECT_EQ(found(one.sql), one.expected) << one.sql;
}

TEST(StatementRelations, AreNotFunctionsNorPartsOfExpressions) {
  constexpr Case kCases[] = {
      {"SELECT * FROM f(1, 2)", ""},
      {"SELECT * FROM f (1), s.g(a, b) AS x (y int, z text), c", "c"},
      {"SELECT * FROM a, LATERAL f(a.x) WITH ORDINALITY AS y, b", "a b"},
      {"SELECT * FROM a JOIN generate_series(1, 2) g ON true", "a"},
      {"SELECT extract(year FROM x), substring(y FROM 2 FOR 3), trim(both FROM z) FROM a", "a"},
      {"SELECT overlay(x PLACING y FROM 1), position(x IN y) FROM a", "a"},
      {"SELECT x IS DISTINCT FROM y, x IS NOT DISTINCT FROM z FROM a", "a"},
      {"SELECT * FROM a JOIN b ON a.x IS DISTINCT FROM b.x, c", "a b c"},
      {"SELECT * FROM a WHERE x = ANY ($1) FOR UPDATE", "a"},
      {"SELECT * FROM a FOR NO KEY UPDATE NOWAIT", "a"},
      {"SELECT t.from, t.join, t.table, t.into FROM a", "a"},
      {"SELECT \"from\" FROM a", "a"},
      {"SELECT update, copy FROM a", "a"},
      {"SELECT count(*) FILTER (WHERE x), sum(y) OVER (ORDER BY z, w) FROM a", "a"},
      {"SELECT x AS distinct FROM a", "a"},
      {"SELECT CAST(x AS numeric(10, 2)), 'a' COLLATE \"C\" FROM a", "a"},
  };
  for (const Case& one : kCases) EXPECT_EQ(found(one.sql), one.expected) << one.sql;
}

TEST(StatementRelations, AreReportedWhereItCannotBeTold) {
  constexpr Case kCases[] = {
      {"SELECT * FROM U&\"p\\0061yments\"", "?"},
      {"SELECT * FROM U&\"s\".payments", "payments"},
      {"SELECT * FROM payments_with_a_name_of_more_than_sixty_three_bytes_in_all_of_it", "?"},
      {"SELECT * FROM payments_with_a_name_that_has_exactly_sixty_three_bytes_in_it",
       "payments_with_a_name_that_has_exactly_sixty_three_bytes_in_it"},
      {"SELECT * FROM ROWS FROM (f(1), g(2)), a", "rows a"},
      {"FETCH 10 FROM c", "c"},
      {"SELECT * FROM current_date", "current_date"},
      {"SELECT x INTO TEMPORARY a FROM b", "temporary a b"},
      {"COPY binary TO STDOUT", "binary to"},
      {"COPY (UPDATE a SET x = 1 RETURNING *) TO STDOUT", "update a"},
      {"COPY (DELETE FROM a RETURNING *) TO STDOUT", "delete a"},
  };
  for (const Case& one : kCases) EXPECT_EQ(found(one.sql), one.expected) << one.sql;
}

TEST(StatementRelations, AreSeenInBothReadingsOfABackslash) {
  // The first string ends before the comma, or, with standard_conforming_strings off, behind it.
  EXPECT_EQ(found(R"(SELECT 'x\', ' FROM a, b WHERE y = ' FROM c)"), "c a b");
  EXPECT_EQ(found(R"(SELECT E'x\', ' FROM c)"), "c") << "an escape in any case";
  EXPECT_EQ(found(R"(SELECT * FROM a WHERE x LIKE '%\%')"), "a") << "one reading is enough";
}

TEST(StatementRelations, AreSeenAtAnyDepth) {
  for (const std::size_t depth : {1U, 62U, 63U, 64U, 65U, 66U, 1000U}) {
    std::string sql = "SELECT * FROM a";
    for (std::size_t i = 0; i < depth; ++i) sql = "SELECT * FROM (" + sql + ") x";
    EXPECT_NE(found(sql).find('a'), std::string::npos) << depth;
    EXPECT_EQ(found(sql + ", b").substr(found(sql + ", b").size() - 1), "b") << depth;
    const std::string open(depth, '(');
    const std::string close(depth, ')');
    EXPECT_NE((' ' + found("SELECT x + " + open + "SELECT y FROM b" + close + " FROM a") + ' ').find(" b "),
              std::string::npos)
        << depth;
    EXPECT_EQ(found("SELECT * FROM a" + close + ", b"), "a b") << "parentheses that nothing opens";
  }
}

TEST(StatementRelations, OfTextThatIsCutOffAreThoseBefore) {
  constexpr std::string_view kWhole =
      "WITH x AS (SELECT 'it''s', $a$ b $a$ FROM \"A\".b) SELECT * FROM x JOIN (c CROSS JOIN d) ON true, "
      "U&\"e\" /* f */, g -- h";
  for (std::size_t size = 0; size <= kWhole.size(); ++size) {
    // In memory of its own, so that a step beyond the end is seen.
    const std::string part(kWhole.substr(0, size));
    (void)found(part);
  }
  EXPECT_EQ(found(kWhole), "A.b x c d ? g");
}

}  // namespace
}  // namespace tidemark::routing
