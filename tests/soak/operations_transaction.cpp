// Transactions: committed, rolled back, failed, with savepoints and cursors, read-only, idle for a while.

#include "tests/soak/messages.hpp"
#include "tests/soak/operations.hpp"

namespace tidemark::soak {
namespace {

std::string insert_of(const Session& s, const std::string& token, int number) {
  return "insert into ledger values ('" + s.mark + "', '" + token + "', " + std::to_string(number) + ")";
}

std::string count_of(const std::string& token) {
  return "select count(*) from ledger where token = '" + token + "'";
}

std::string delete_of(const std::string& token) {
  return "delete from ledger where token = '" + token + "'";
}

Task<> write_and_read(Session& s) {
  const std::string token = s.token();
  const int number = s.random.between(0, 1'000'000);
  co_await s.command(insert_of(s, token, number), "INSERT 0 1");
  co_await s.expect("select n from ledger where token = '" + token + "'", std::to_string(number));
  co_await s.command("update ledger set n = n + 1 where token = '" + token + "'", "UPDATE 1");
  co_await s.expect("select n from ledger where token = '" + token + "'", std::to_string(number + 1));
  co_await s.command(delete_of(token), "DELETE 1");
  co_await s.expect(count_of(token), "0");
}

Task<> returning(Session& s) {
  const std::string token = s.token();
  co_await s.expect("insert into ledger values ('" + s.mark + "', '" + token + "', 3) returning token",
                    token);
  co_await s.expect(delete_of(token) + " returning token", token);
}

Task<> committed(Session& s) {
  const std::string token = s.token();
  co_await s.command("begin", "BEGIN");
  co_await s.command(insert_of(s, token, 1), "INSERT 0 1");
  if (s.random.chance(0.3)) co_await s.pause(std::chrono::milliseconds(s.random.between(1, 20)));
  co_await s.expect(count_of(token), "1");
  co_await s.command("commit", "COMMIT");
  co_await s.expect(count_of(token), "1");
  co_await s.command(delete_of(token), "DELETE 1");
}

Task<> rolled_back(Session& s) {
  const std::string token = s.token();
  co_await s.command("begin isolation level repeatable read", "BEGIN");
  co_await s.command(insert_of(s, token, 1), "INSERT 0 1");
  co_await s.expect(count_of(token), "1");
  co_await s.command("rollback", "ROLLBACK");
  co_await s.expect(count_of(token), "0");
}

Task<> savepoint(Session& s) {
  const std::string kept = s.token();
  const std::string dropped = s.token();
  co_await s.command("begin", "BEGIN");
  co_await s.command(insert_of(s, kept, 1), "INSERT 0 1");
  co_await s.command("savepoint here", "SAVEPOINT");
  co_await s.command(insert_of(s, dropped, 1), "INSERT 0 1");
  if (s.random.chance(0.5)) co_await s.fails("select '" + dropped + "'::int", "22P02", dropped);
  co_await s.command("rollback to here", "ROLLBACK");
  co_await s.expect(count_of(dropped), "0");
  co_await s.command("commit", "COMMIT");
  co_await s.expect(count_of(kept), "1");
  co_await s.expect(count_of(dropped), "0");
  co_await s.command(delete_of(kept), "DELETE 1");
}

Task<> failed(Session& s) {
  const std::string token = s.token();
  co_await s.command("begin", "BEGIN");
  co_await s.command(insert_of(s, token, 1), "INSERT 0 1");
  put_query(s.wire.output(), "select '" + token + "'::int");
  const Answer error = co_await s.exchange("EZ");
  s.require_error(error, "22P02", token);
  s.require_status(error, 'E');
  const int times = s.random.between(0, 2);
  for (int i = 0; i < times; ++i) {
    put_query(s.wire.output(), "select 1");
    const Answer ignored = co_await s.exchange("EZ");
    s.require_error(ignored, "25P02");
    s.require_status(ignored, 'E');
  }
  const char* const end = s.random.chance(0.5) ? "commit" : "rollback";
  co_await s.command(end, "ROLLBACK");
  co_await s.expect(count_of(token), "0");
}

Task<> read_only(Session& s) {
  const std::string token = s.token();
  co_await s.command("begin read only", "BEGIN");
  co_await s.expect("select '" + token + "'", token);
  if (s.random.chance(0.3)) {
    co_await s.fails(insert_of(s, token, 1), "25006");
    co_await s.command("rollback", "ROLLBACK");
    co_return;
  }
  co_await s.command("declare c cursor for select n, '" + token + "' from generate_series(1, 20) n",
                     "DECLARE CURSOR");
  for (int i = 0; i < 3; ++i) {
    put_query(s.wire.output(), "fetch 3 from c");
    const Answer answer = co_await s.exchange("TDCZ");
    const std::vector<Row> rows = answer.rows();
    s.require(rows.size() == 3 && rows[0][0] == std::to_string(3 * i + 1) && rows[2][1] == token,
              "a cursor's rows");
  }
  co_await s.command("commit", "COMMIT");
}

Task<> idle_in_transaction(Session& s) {
  const std::string token = s.token();
  co_await s.command("begin", "BEGIN");
  co_await s.expect("select '" + token + "'", token);
  co_await s.pause(std::chrono::milliseconds(s.random.between(5, 60)));
  co_await s.expect("select '" + token + "'", token);
  co_await s.command("end", "COMMIT");
}

Task<> large_object(Session& s) {
  const std::string token = s.token();
  co_await s.command("begin", "BEGIN");
  const Answer made = co_await s.ask("select lo_from_bytea(0, '" + token + "'::bytea)");
  const std::string number = made.rows().at(0).at(0).value_or("");
  co_await s.expect("select convert_from(lo_get(" + number + "), 'UTF8')", token);
  co_await s.expect("select lo_unlink(" + number + ")", "1");
  co_await s.command("commit", "COMMIT");
}

}  // namespace

std::vector<Operation> transaction_operations() {
  std::vector<Operation> all;
  all.push_back({"write and read", 80, write_and_read});
  all.push_back({"returning", 20, returning});
  all.push_back({"committed", 50, committed});
  all.push_back({"rolled back", 30, rolled_back});
  all.push_back({"savepoint", 25, savepoint});
  all.push_back({"failed", 30, failed});
  all.push_back({"read only", 30, read_only});
  all.push_back({"idle in transaction", 8, idle_in_transaction});
  all.push_back({"large object", 5, large_object});
  return all;
}

}  // namespace tidemark::soak
