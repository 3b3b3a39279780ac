// What keeps a server connection, and is let go again: LISTEN, temporary tables, advisory locks, PREPARE,
// WITH HOLD.

#include <algorithm>

#include "tests/soak/messages.hpp"
#include "tests/soak/operations.hpp"

namespace tidemark::soak {
namespace {

Task<> listen(Session& s) {
  const std::string channel = s.name("ch_");
  co_await s.command("listen " + channel, "LISTEN");
  const int times = s.random.between(1, 3);
  for (int i = 0; i < times; ++i) {
    const std::string token = s.token();
    co_await s.command("notify " + channel + ", '" + token + "'", "NOTIFY");
    co_await s.wire.notified();
    const std::vector<Notification> seen = s.wire.notifications();
    s.wire.notifications().clear();
    s.require(seen.size() == 1 && seen[0].channel == channel && seen[0].payload == token, "a notification",
              seen[0].channel + " " + seen[0].payload);
    if (s.random.chance(0.3)) co_await s.pause(std::chrono::milliseconds(s.random.between(1, 20)));
  }
  co_await s.expect("select string_agg(c, ',') from pg_listening_channels() c", channel);
  const std::string end = s.random.chance(0.5) ? "unlisten *" : "unlisten " + channel;
  co_await s.command(end, "UNLISTEN");
  co_await s.expect("select count(*) from pg_listening_channels()", "0");
}

/// Nobody listens here: nothing may come.
Task<> unheard(Session& s) {
  co_await s.command("notify " + s.name("nobody_"), "NOTIFY");
  s.require(s.wire.notifications().empty(), "no notification");
}

Task<> temporary_table(Session& s) {
  const std::string token = s.token();
  // The same name in all clients.
  co_await s.command("create temporary table scratch (token text)", "CREATE TABLE");
  co_await s.command("insert into scratch values ('" + token + "')", "INSERT 0 1");
  co_await s.expect("select token from scratch", token);
  if (s.random.chance(0.5)) {
    co_await s.command("drop table scratch", "DROP TABLE");
  } else {
    co_await s.command("discard temp", "DISCARD TEMP");
  }
  co_await s.expect("select to_regclass('scratch') is null", "t");
}

Task<> temporary_table_in_transaction(Session& s) {
  const std::string token = s.token();
  co_await s.command("begin", "BEGIN");
  co_await s.command("create temporary table scratch (token text) on commit drop", "CREATE TABLE");
  co_await s.command("insert into scratch values ('" + token + "')", "INSERT 0 1");
  co_await s.expect("select token from scratch", token);
  co_await s.command("commit", "COMMIT");
}

Task<> advisory_lock(Session& s) {
  const std::string key = std::to_string(s.random.below(1'000'000'000'000));
  co_await s.expect("select pg_try_advisory_lock(" + key + ")", "t");
  co_await s.expect("select pg_try_advisory_lock(" + key + ")", "t");
  if (s.random.chance(0.3)) co_await s.pause(std::chrono::milliseconds(s.random.between(1, 20)));
  co_await s.expect("select pg_advisory_unlock(" + key + ")", "t");
  co_await s.expect("select pg_advisory_unlock(" + key + ")", "t");
}

Task<> sql_prepare(Session& s) {
  const std::string token = s.token();
  // The same name in all clients.
  co_await s.command("prepare q (int) as select '" + token + "', $1", "PREPARE");
  const int times = s.random.between(1, 4);
  for (int i = 0; i < times; ++i) {
    const Answer answer = co_await s.ask("execute q (" + std::to_string(i) + ")");
    const std::vector<Row> rows = answer.rows();
    s.require(rows.size() == 1 && rows[0][0] == token && rows[0][1] == std::to_string(i), "an EXECUTE's row");
  }
  co_await s.command("deallocate q", "DEALLOCATE");
  co_await s.fails("execute q (1)", "26000");
}

Task<> cursor_with_hold(Session& s) {
  const std::string token = s.token();
  co_await s.command("begin", "BEGIN");
  co_await s.command(
      "declare kept cursor with hold for select n, '" + token + "' from generate_series(1, 9) n",
      "DECLARE CURSOR");
  co_await s.command("commit", "COMMIT");
  for (int i = 1; i <= 3; ++i) {
    put_query(s.wire.output(), "fetch 2 from kept");
    const Answer answer = co_await s.exchange("TDCZ");
    const std::vector<Row> rows = answer.rows();
    s.require(rows.size() == 2 && rows[0][0] == std::to_string(2 * i - 1) && rows[0][1] == token,
              "rows of a kept cursor");
  }
  co_await s.command("close kept", "CLOSE CURSOR");
}

/// State left behind on purpose, and a client that goes away with it.
Task<> leave_state_behind(Session& s) {
  switch (s.random.below(5)) {
    case 0:
      co_await s.command("listen " + s.name("left_"), "LISTEN");
      break;
    case 1:
      co_await s.command("create temporary table scratch (token text)", "CREATE TABLE");
      break;
    case 2:
      co_await s.ask("select pg_advisory_lock(" + std::to_string(s.random.below(1'000'000'000'000)) + ")");
      break;
    case 3:
      co_await s.command("prepare q as select '" + s.token() + "'", "PREPARE");
      break;
    default:
      co_await s.command("begin", "BEGIN");
      co_await s.command("insert into ledger values ('left', '" + s.token() + "', 1)", "INSERT 0 1");
      break;
  }
  s.wire.light_fuse(1);
  co_await s.wire.flush();
}

/// Nothing of anybody else is here, nor anything of ours.
Task<> clean(Session& s) {
  co_await s.command("begin", "BEGIN");  // the primary's connections are the ones that state is left on
  co_await s.expect("select count(*) from pg_listening_channels()", "0");
  co_await s.expect("select count(*) from pg_prepared_statements where from_sql", "0");
  co_await s.expect("select count(*) from pg_cursors where name <> '' and is_holdable", "0");
  co_await s.expect("select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()",
                    "0");
  co_await s.expect("select count(*) from pg_class where relnamespace = pg_my_temp_schema()", "0");
  co_await s.command("rollback", "ROLLBACK");
}

}  // namespace

std::vector<Operation> pinning_operations() {
  std::vector<Operation> all;
  all.push_back({"listen", 20, listen});
  all.push_back({"notify unheard", 5, unheard});
  all.push_back({"temporary table", 12, temporary_table});
  all.push_back({"temporary table in transaction", 5, temporary_table_in_transaction});
  all.push_back({"advisory lock", 20, advisory_lock});
  all.push_back({"prepare", 20, sql_prepare});
  all.push_back({"cursor with hold", 15, cursor_with_hold});
  all.push_back({"leave state behind", 8, leave_state_behind});
  all.push_back({"clean", 10, clean});
  return all;
}

}  // namespace tidemark::soak
