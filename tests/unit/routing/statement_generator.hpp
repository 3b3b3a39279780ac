#pragma once

#include <string>

#include "tests/unit/routing/query_generator.hpp"

namespace tidemark::routing {

/// Random statements of every kind, queries more often than all the others.
class StatementGenerator : public QueryGenerator {
 public:
  using QueryGenerator::QueryGenerator;

  std::string statement() {
    std::string sql = one_statement();
    while (chance(12)) {
      sql += ';';
      sql += gap();
      sql += one_statement();
    }
    return sql;
  }

 private:
  std::string one_statement() {
    switch (below(20)) {
      case 0:
        return explain();
      case 1:
        return copy();
      case 2:
        return settings();
      case 3:
        return control();
      case 4:
        return utility();
      case 5:
        return data_change(2);
      case 6:
        return "SHOW " + pick({"search_path", "ALL", "server_version", "TIME ZONE", "plpgsql.x", "timezone",
                               "TRANSACTION ISOLATION LEVEL", "transaction_read_only", "in_hot_standby"});
      case 7:
        return state();
      default:
        return query(3);
    }
  }

  std::string explain() {
    return "EXPLAIN " +
           pick({"", "", "VERBOSE ", "(COSTS off) ", "(ANALYZE) ", "ANALYZE ", "ANALYZE VERBOSE ",
                 "(ANALYZE, BUFFERS true, FORMAT 'json') ", "(FORMAT yaml, \"analyze\" off) "}) +
           (chance(6) ? pick({"DELETE FROM orders", "EXECUTE p1 (2)", "CREATE TABLE x AS SELECT 1",
                              "UPDATE users SET name = 'x'", "DECLARE c CURSOR FOR SELECT 1"})
                      : query(2));
  }

  std::string copy() {
    const std::string source = chance(2)
                                   ? "(" + (chance(8) ? data_change(1) + " RETURNING *" : query(2)) + ")"
                                   : table() + maybe(3, " (id, \"name\")");
    return "COPY " + source + " " +
           pick({"TO STDOUT", "TO STDOUT", "TO stdout WITH (FORMAT csv, HEADER true)", "TO STDOUT CSV HEADER",
                 "TO STDOUT (FORMAT binary)", "TO '/tmp/x'", "TO PROGRAM 'cat'", "FROM STDIN",
                 "FROM STDIN WITH (FORMAT csv)", "TO STDOUT WITH (FORCE_QUOTE (id, name), FORMAT csv)"});
  }

  std::string settings() {
    return pick({"SET ", "SET SESSION ", "SET LOCAL ", "SET "}) +
           pick({"search_path TO app, public",
                 "search_path = 'app'",
                 "TIME ZONE 'UTC'",
                 "NAMES 'UTF8'",
                 "statement_timeout = 1000",
                 "myapp.user_id = '42'",
                 "\"DateStyle\" TO ISO",
                 "ROLE app",
                 "ROLE NONE",
                 "SESSION AUTHORIZATION DEFAULT",
                 "role = 'app'",
                 "seed = 0.5",
                 "TIME ZONE LOCAL",
                 "SCHEMA 'app'",
                 "XML OPTION DOCUMENT",
                 "work_mem TO DEFAULT",
                 "TRANSACTION READ ONLY",
                 "TRANSACTION ISOLATION LEVEL SERIALIZABLE, READ WRITE",
                 "search_path = pg_temp, app",
                 "session_authorization = app",
                 "local.x = 1",
                 "transaction_isolation = 'serializable'",
                 "transaction_read_only = on"});
  }

  std::string control() {
    return pick({"BEGIN",
                 "BEGIN WORK",
                 "START TRANSACTION READ ONLY",
                 "BEGIN READ ONLY",
                 "BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY, DEFERRABLE",
                 "BEGIN ISOLATION LEVEL SERIALIZABLE READ ONLY",
                 "BEGIN READ ONLY, READ WRITE",
                 "BEGIN READ WRITE READ ONLY",
                 "COMMIT",
                 "END",
                 "COMMIT AND CHAIN",
                 "COMMIT AND NO CHAIN",
                 "ROLLBACK",
                 "ABORT",
                 "ROLLBACK WORK AND CHAIN",
                 "ROLLBACK TO SAVEPOINT s1",
                 "SAVEPOINT s1",
                 "RELEASE SAVEPOINT s1",
                 "PREPARE TRANSACTION 'x1'",
                 "COMMIT PREPARED 'x1'",
                 "ROLLBACK PREPARED 'x1'",
                 "SET CONSTRAINTS ALL DEFERRED",
                 "SET TRANSACTION SNAPSHOT 'x'"});
  }

  std::string state() {
    switch (below(6)) {
      case 0:
        return "PREPARE p1 " + maybe(2, "(int, text) ") + "AS " + (chance(3) ? data_change(1) : query(2));
      case 1:
        return "DECLARE c " + pick({"", "BINARY ", "SCROLL ", "NO SCROLL "}) + "CURSOR " +
               pick({"", "WITH HOLD ", "WITHOUT HOLD "}) + "FOR " + query(2);
      case 2:
        return "CREATE " + maybe(4, "OR REPLACE ") + pick({"TEMP ", "TEMPORARY ", "LOCAL TEMP ", ""}) +
               "VIEW v1 AS " + query(2);
      case 3:
        return "CREATE " + pick({"TEMP ", "GLOBAL TEMPORARY ", "UNLOGGED ", ""}) + "TABLE " +
               pick({"", "IF NOT EXISTS "}) + pick({"x1", "pg_temp.x1", "app.x1"}) +
               (chance(2) ? " AS " + query(2) : " (id int, name varchar(20) DEFAULT lower('A'))");
      default:
        return pick({"LISTEN jobs",
                     "UNLISTEN *",
                     "NOTIFY jobs, 'x'",
                     "LOAD 'auto_explain'",
                     "EXECUTE p1 (1, 'x')",
                     "DEALLOCATE p1",
                     "DEALLOCATE ALL",
                     "DISCARD ALL",
                     "DISCARD TEMP",
                     "DISCARD PLANS",
                     "DISCARD SEQUENCES",
                     "RESET ALL",
                     "RESET work_mem",
                     "RESET ROLE",
                     "RESET TIME ZONE",
                     "RESET SESSION AUTHORIZATION",
                     "CLOSE c",
                     "CLOSE ALL",
                     "FETCH 10 FROM c",
                     "MOVE FORWARD ALL IN c",
                     "CALL refresh(1)",
                     "DO $$ BEGIN PERFORM 1; END $$",
                     "DROP TABLE IF EXISTS x1",
                     "CREATE TEMP SEQUENCE s1"});
    }
  }

  std::string utility() {
    return pick({"VACUUM",
                 "VACUUM (ANALYZE) orders",
                 "ANALYZE users",
                 "REINDEX TABLE users",
                 "CHECKPOINT",
                 "LOCK TABLE users IN SHARE MODE",
                 "TRUNCATE orders, order_items",
                 "CLUSTER users",
                 "CREATE INDEX CONCURRENTLY i1 ON users (lower(name)) WHERE id > 1",
                 "DROP INDEX i1",
                 "ALTER TABLE users ADD COLUMN age int DEFAULT 1",
                 "GRANT SELECT ON users TO app",
                 "REVOKE ALL ON SCHEMA app FROM app",
                 "COMMENT ON TABLE users IS 'DELETE'",
                 "CREATE FUNCTION f1(a int) RETURNS int LANGUAGE sql AS $$ SELECT 1; $$",
                 "CREATE FUNCTION f2() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT 2; END",
                 "DROP FUNCTION f1(int)",
                 "CREATE EXTENSION IF NOT EXISTS pg_trgm",
                 "CREATE SCHEMA app",
                 "CREATE TRIGGER t1 BEFORE INSERT ON users FOR EACH ROW EXECUTE FUNCTION f1()",
                 "REFRESH MATERIALIZED VIEW CONCURRENTLY v1",
                 "CREATE RULE r1 AS ON UPDATE TO users DO INSTEAD NOTHING",
                 "CREATE MATERIALIZED VIEW v1 AS SELECT 1",
                 "ALTER ROLE app SET work_mem = '1MB'",
                 "CREATE TYPE mood AS ENUM ('sad', 'ok')",
                 "ALTER SYSTEM SET work_mem = '1MB'",
                 "CREATE POLICY p1 ON users USING (name = current_user)",
                 "DROP OWNED BY app",
                 "SECURITY LABEL ON TABLE users IS 'x'",
                 "CREATE STATISTICS s1 ON id, name FROM users",
                 "ALTER FUNCTION f1(int) VOLATILE",
                 "REASSIGN OWNED BY a TO b"});
  }

  std::string data_change(int depth) {
    const std::string with_part = chance(4) ? with(depth) : "";
    switch (below(5)) {
      case 0:
        return with_part + "INSERT INTO users (id, name) VALUES (" + expression(depth) + ", " +
               expression(depth) + ")" + maybe(3, " ON CONFLICT (id) DO UPDATE SET name = EXCLUDED.name");
      case 1:
        return with_part + "INSERT INTO orders " + query(depth);
      case 2:
        return with_part + "UPDATE users AS u SET name = " + expression(depth) + " WHERE id = " + constant();
      case 3:
        return with_part +
               "MERGE INTO users u USING orders o ON u.id = o.user_id WHEN MATCHED THEN DELETE "
               "WHEN NOT MATCHED THEN INSERT VALUES (1)";
      default:
        return with_part + "DELETE FROM orders USING users WHERE " + condition(depth);
    }
  }
};

}  // namespace tidemark::routing
