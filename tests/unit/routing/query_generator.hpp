#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <random>
#include <string>

namespace tidemark::routing {

/// Random queries over PostgreSQL's grammar, the same ones for one seed with every library: only the engine
/// is used. Most are valid, most of those are reads, and the words are such as applications use.
class QueryGenerator {
 public:
  explicit QueryGenerator(std::uint64_t seed) : engine_(seed) {}

  std::size_t below(std::size_t bound) { return engine_() % bound; }

 protected:
  using Choices = std::initializer_list<const char*>;

  bool chance(std::size_t one_in) { return below(one_in) == 0; }
  std::string pick(Choices choices) { return choices.begin()[below(choices.size())]; }
  std::string maybe(std::size_t one_in, const std::string& text) { return chance(one_in) ? text : ""; }
  std::string gap() {
    return chance(3) ? pick({"\n", "\t", "  ", "\n    ", " /* ; */ ", " -- x\n", "/*/**/*/", "\r\n"}) : " ";
  }

  std::string query(int depth) {
    std::string sql = depth > 0 && chance(5) ? with(depth) : "";
    sql += simple_query(depth);
    if (chance(8)) {
      sql += gap() + pick({"UNION", "UNION ALL", "EXCEPT", "EXCEPT ALL", "INTERSECT"}) + gap() +
             (chance(2) ? simple_query(depth) : "(" + simple_query(depth) + ")");
    }
    if (chance(4)) {
      sql += gap() + "ORDER BY " + pick({"1", "id", "created_at DESC", "name ASC NULLS LAST", "2 USING <"}) +
             maybe(4, ", " + expression(depth - 1));
    }
    if (chance(5)) sql += gap() + "LIMIT " + pick({"1", "10", "$3", "(2)", "ALL"}) + maybe(2, " OFFSET $4");
    if (chance(20))
      sql += gap() + "FETCH FIRST " + pick({"5 ", "(2) ", ""}) + "ROWS " + pick({"ONLY", "WITH TIES"});
    if (chance(14)) {
      sql += gap() + "FOR" + gap() +
             pick({"UPDATE", "SHARE", "NO KEY UPDATE", "KEY SHARE", "READ ONLY", "UPDATE OF u",
                   "SHARE NOWAIT", "UPDATE SKIP LOCKED"});
    }
    return sql;
  }

  std::string with(int depth) {
    std::string sql = "WITH" + gap() + maybe(4, "RECURSIVE" + gap());
    for (std::size_t i = 0, count = 1 + below(3); i < count; ++i) {
      if (i != 0) sql += ",";
      sql += gap() + pick({"recent", "\"Ranked\"", "totals", "lower", "over", "name"}) +
             maybe(3, gap() + "(id, total)") + gap() + "AS" + gap() +
             pick({"", "", "MATERIALIZED ", "NOT MATERIALIZED "}) + "(" +
             (chance(8) ? pick({"DELETE FROM orders WHERE id < 10 RETURNING id",
                                "INSERT INTO orders (id) VALUES (1) RETURNING *",
                                "UPDATE users SET name = 'x' RETURNING id, name"})
                        : query(depth - 1)) +
             ")";
      if (chance(12))
        sql += pick({" SEARCH DEPTH FIRST BY id SET name", " CYCLE id SET is_cycle USING path",
                     " SEARCH BREADTH FIRST BY id, total SET ord"});
    }
    return sql + gap();
  }

  std::string simple_query(int depth) {
    switch (below(16)) {
      case 0:
        return "VALUES (" + expression(depth) + ", " + constant() + ")" + maybe(3, ", (1, 2)");
      case 1:
        return "TABLE " + pick({"users", "ONLY app.orders", "\"Users\""});
      case 2:
        if (depth > 0) return "(" + query(depth - 1) + ")";
        break;
      default:
        break;
    }
    std::string sql = "SELECT" + gap();
    if (chance(10))
      sql += pick({"DISTINCT ", "ALL ", "DISTINCT ON (id) ", "DISTINCT ON ((a), lower(name)) "});
    for (std::size_t i = 0, count = 1 + below(3); i < count; ++i) {
      if (i != 0) sql += "," + gap();
      sql += chance(5) ? pick({"*", "u.*", "o.id", "count(*)"}) : expression(depth);
      if (chance(4))
        sql += chance(3) ? " " + label() : " AS " + pick({"delete", "insert", "value", "name", "share"});
    }
    if (chance(30))
      sql += gap() + "INTO" + gap() + pick({"x1", "TEMP x1", "UNLOGGED TABLE x1", "pg_temp.x1"});
    if (!chance(5)) {
      sql += gap() + "FROM" + gap() + source(depth);
      if (chance(4)) sql += ", " + source(depth - 1);
    }
    if (chance(2)) sql += gap() + "WHERE" + gap() + condition(depth);
    if (chance(7)) {
      sql += gap() + "GROUP BY " +
             pick({"1", "id, name", "(a)", "ROLLUP (id, name)", "GROUPING SETS ((id), (name), ())",
                   "CUBE (a, b)", "id, ROLLUP (name)", "DISTINCT ROLLUP (a), CUBE (b)",
                   "date_trunc('day', created_at)"});
      if (chance(2))
        sql += gap() + "HAVING " + pick({"count(*) > 1", "(sum(total) > 10)", "max(id) IS NOT NULL"});
    }
    if (chance(20)) sql += gap() + "WINDOW w AS (PARTITION BY name ORDER BY created_at)";
    return sql;
  }

  std::string table() {
    return pick({"users", "orders", "app.order_items", "\"Products\"", "pgbench_accounts",
                 "pg_catalog.pg_class", "information_schema.columns", "ONLY users", "pg_stat_activity"});
  }

  std::string source(int depth) {
    switch (below(14)) {
      case 0:
        return table() + " AS v (x)";
      case 1:
        return "users u JOIN orders o ON (o.user_id = u.id)";
      case 2:
        return "users u LEFT OUTER JOIN (" + query(depth - 1) + ") AS j USING (id)";
      case 3:
        return "users u CROSS JOIN LATERAL (" + query(depth - 1) + ") x (a, b)";
      case 4:
        return "users TABLESAMPLE " + pick({"system", "BERNOULLI", "system"}) + " (1)" +
               maybe(2, " REPEATABLE (2)");
      case 5:
        return pick({"generate_series(1, 10) AS g (i)", "generate_series(1, $1) g(i)",
                     "unnest($1::int[]) WITH ORDINALITY u (a, n)",
                     "jsonb_to_recordset($1) AS x (id int, name varchar(10))", "json_each(data) j (k, v)",
                     "regexp_split_to_table('a,b', ',') part",
                     "ROWS FROM (generate_series(1, 2), unnest(ARRAY[1])) AS r (a, b)"});
      case 6:
        return call(depth) + pick({" AS f (x)", " f", " AS f"});
      case 7:
        return "\"FOR UPDATE\" AS \"INSERT\"";
      case 8:
        return "(VALUES (1, 'a'), (2, 'b')) v (id, name)";
      case 9:
        return "users u NATURAL JOIN (orders CROSS JOIN app.order_items)";
      default:
        return table() + maybe(2, pick({" u", " AS u", " o"}));
    }
  }

  std::string label() {
    return pick({"total", "\"INTO\"", "name", "\"x\"\"y\"", "value", "\"Total Amount\"", "year"});
  }

  std::string call(int depth) {
    const std::string name = pick({"lower",
                                   "count",
                                   "coalesce",
                                   "pg_catalog.upper",
                                   "\"lower\"",
                                   "date_trunc",
                                   "round",
                                   "now",
                                   "left",
                                   "max",
                                   "min",
                                   "sum",
                                   "array_agg",
                                   "json_build_object",
                                   "to_char",
                                   "length",
                                   "concat_ws",
                                   "replace",
                                   "string_agg",
                                   "age",
                                   "abs",
                                   "format_type",
                                   "to_regclass",
                                   "pg_get_expr",
                                   "obj_description",
                                   "has_table_privilege",
                                   "random",
                                   "current_setting",
                                   "version",
                                   "split_part",
                                   "jsonb_path_query",
                                   "row_to_json",
                                   "md5",
                                   "known_safe",
                                   "\"Known Safe\"",
                                   "tax_of",
                                   "greatest",
                                   "nullif",
                                   "generate_series",
                                   "gen_random_uuid",
                                   "clock_timestamp",
                                   "pg_table_size"});
    if (chance(14)) {
      return pick({"nextval('s1')",
                   "my_function(1)",
                   "s.lower_all()",
                   "\"Count\"(1)",
                   "pg_advisory_lock(1)",
                   "pg_try_advisory_lock(1, 2)",
                   "pg_advisory_unlock_all()",
                   "currval('s1')",
                   "lastval()",
                   "set_config('a.b', 'c', false)",
                   "set_config('a.b', $1, true)",
                   "set_config($1, $2, $3)",
                   "setseed(0.5)",
                   "txid_current()",
                   "pg_advisory_xact_lock(7)",
                   "set_config('role', 'x', false)",
                   "pg_notify('a', 'b')",
                   "lo_create(0)",
                   "U&\"l\\006fwer\"('A')",
                   "treat_(1)",
                   "over(1)"});
    }
    if (name == "count" || name == "now" || name == "random" || name == "version")
      return name + "(" + (name == "count" ? pick({"*", "id", "DISTINCT name"}) : "") + ")";
    return name + maybe(8, gap()) + "(" + expression(depth - 1) + maybe(3, ", " + constant()) + ")";
  }

  std::string condition(int depth) {
    switch (below(12)) {
      case 0:
        return expression(depth - 1) + " IN (1, 2, 3)";
      case 1:
        return "id = ANY ($1)";
      case 2:
        return "name " + pick({"LIKE", "ILIKE", "NOT LIKE", "NOT ILIKE", "SIMILAR TO", "~*"}) + " " +
               pick({"'a%'", "('a' || $1)", "$2", "lower('X')"}) + maybe(4, " ESCAPE '!'");
      case 3:
        return "EXISTS (" + query(depth - 1) + ")";
      case 4:
        return "created_at BETWEEN now() - interval '1 day' AND now()";
      case 5:
        return "(" + condition(depth - 1) + ")" + pick({" AND ", " OR "}) + condition(depth - 1);
      case 6:
        return "NOT (deleted_at IS NULL)";
      case 7:
        return "(id, name) IN (" + query(depth - 1) + ")";
      case 8:
        return "data @> '{\"a\": 1}' AND data ->> 'b' = 'c'";
      default:
        return pick({"id", "u.id", "total", "\"id\""}) + pick({" = ", " > ", " <> ", "="}) +
               expression(depth - 1);
    }
  }

  std::string expression(int depth) {
    if (depth <= 0) return atom();
    switch (below(22)) {
      case 0:
      case 1:
        return call(depth);
      case 2:
        return pick({"row_number()", "rank()", "sum(total)", "lag(total, 1)", "count(*)",
                     "first_value(name)"}) +
               pick({" FILTER (WHERE id > 1)", "", ""}) + " OVER " +
               pick({"w", "(PARTITION BY (a) ORDER BY (b))", "()",
                     "(ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)",
                     "(ORDER BY id RANGE UNBOUNDED PRECEDING EXCLUDE TIES)"});
      case 3:
        return "(" + query(depth - 1) + ")";
      case 4:
        return "EXISTS (" + query(depth - 1) + ")";
      case 5:
        return expression(depth - 1) + "::" +
               pick({"numeric(10,2)", "text", "varchar (3)", "app.money_t(1)", "int[]",
                     "timestamp(0) with time zone", "regclass", "jsonb"});
      case 6:
        return "CAST(" + expression(depth - 1) + " AS " +
               pick({"int", "numeric(3)", "geometry(Point, 4326)", "double precision",
                     "character varying (10)"}) +
               ")";
      case 7:
        return "CASE WHEN " + condition(depth - 1) + " THEN (" + atom() + ") ELSE (2) END";
      case 8:
        return pick({"substring(name FROM 1 FOR 2)", "trim(both ' ' FROM name)", "position('a' IN name)",
                     "extract(epoch FROM created_at)", "overlay('abc' PLACING 'x' FROM 1 FOR 2)",
                     "extract('year' FROM now())", "collation for (name)",
                     "xmlelement(name a, xmlattributes(1 AS b))", "normalize('x', NFC)",
                     "created_at AT TIME ZONE ('UTC')"});
      case 9:
        return expression(depth - 1) + gap() +
               pick({"+", "||", "*", "OPERATOR(pg_catalog.+)", "=", "-", "->", "<@", "#>>", "&&"}) + gap() +
               "(" + atom() + ")";
      case 10:
        return "ARRAY[" + expression(depth - 1) + ", 1]" + maybe(3, "[1:2]");
      case 11:
        return pick({"COALESCE", "GREATEST", "ROW", "LEAST"}) + "(" + expression(depth - 1) + ", 2)";
      case 12:
        return "array(" + query(depth - 1) + ")";
      case 13:
        return pick({"percentile_cont(0.5) WITHIN GROUP (ORDER BY total)",
                     "string_agg(name, ',' ORDER BY name)", "array_agg(DISTINCT id ORDER BY id)",
                     "count(DISTINCT (a, b))", "mode() WITHIN GROUP (ORDER BY name)",
                     "json_agg(u ORDER BY u.id) FILTER (WHERE u.id IS NOT NULL)", "grouping(a)"});
      case 14:
        return pick({"interval '1 day'", "date '2020-01-01'", "interval '1' year",
                     "timestamp(3) '2020-01-01'", "B'101'", "int4range(1, 5)", "'[1,5)'::int4range", "x'1F'",
                     "interval '1' day to second(3)"});
      default:
        return atom();
    }
  }

  std::string constant() { return pick({"1", "42", "$1", "$2", "'x'", "3.5", "NULL", "true", "-1"}); }

  std::string atom() {
    return pick({"1",
                 "id",
                 "u.id",
                 "name",
                 "\"name\"",
                 "$1",
                 "'x'",
                 "'it''s; DELETE'",
                 "E'\\';'",
                 "$$;$$",
                 "$q$ FOR UPDATE $q$",
                 "U&'\\0061'",
                 "-1.5e3",
                 "current_timestamp",
                 "NULL",
                 "'a'\n'b'",
                 "u.update",
                 "current_user",
                 "true",
                 "total",
                 "created_at",
                 "o.user_id",
                 "data",
                 "12345",
                 "u.\"Email\"",
                 "current_date",
                 "(1)",
                 "users.name",
                 "value",
                 "key"});
  }

 private:
  std::mt19937_64 engine_;
};

}  // namespace tidemark::routing
