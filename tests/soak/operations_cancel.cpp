// Cancel requests: while a statement runs, while it may still wait for a server, for nothing, with a wrong
// key.

#include <utility>

#include "protocol/startup_messages.hpp"
#include "tests/soak/messages.hpp"
#include "tests/soak/operations.hpp"
#include "tests/soak/outcome.hpp"

namespace tidemark::soak {
namespace {

constexpr std::chrono::seconds late_cancel{10};

/// Returns when the other side has closed the request's connection.
Task<> send_cancel(Session& s, protocol::CancelKey key) {
  Connection wire(s.loop, s.random, s.mark);
  co_await wire.open(s.port);
  protocol::append_cancel_request(wire.output(), key);
  ++s.tally.cancels_sent;
  co_await wire.flush();
  co_await wire.closed();
}

Task<> cancel_me(Session& s) {
  s.require(s.wire.cancel_key().has_value(), "a cancel key");
  s.expect_late_cancel(std::chrono::minutes(2));  // until the request is done with
  const protocol::CancelKey key = *s.wire.cancel_key();
  co_await send_cancel(s, key);
  s.expect_late_cancel(late_cancel);
}

/// Either the answer, or 57014.
Task<> answer_or_canceled(Session& s, std::string shape, std::string value) {
  const Answer answer = co_await s.wire.answer();
  ++s.tally.answers_checked;
  if (answer.sqlstate() == "57014") {
    ++s.tally.cancels_hit;
    s.require(answer.shape() == "EZ" || answer.shape() == "TEZ" || answer.shape() == "TDEZ",
              "the shape of a canceled answer", answer.shape());
    co_return;
  }
  ++s.tally.cancels_missed;
  s.require_shape(answer, answer.shape(), shape);
  if (!value.empty()) s.require(answer.rows().at(0).at(0) == value, "the answer of a statement not canceled");
}

Task<> cancel_sleep(Session& s) {
  const std::string token = s.token();
  const std::string seconds = s.random.chance(0.8) ? "3" : "0.0" + std::to_string(s.random.between(0, 9));
  put_query(s.wire.output(), "select '" + token + "', pg_sleep(" + seconds + ")");
  co_await s.wire.flush();
  if (seconds == "3") {
    // Most likely it runs by then, or waits for a server.
    co_await s.pause(std::chrono::milliseconds(s.random.between(5, 80)));
  } else {
    co_await s.pause(std::chrono::milliseconds(s.random.between(0, 90)));
  }
  co_await cancel_me(s);
  co_await answer_or_canceled(s, "TDCZ", token);
}

/// At once: the statement may still be waiting for a server connection, or not even have been read.
Task<> cancel_queued(Session& s) {
  const std::string token = s.token();
  put_query(s.wire.output(), "select '" + token + "', pg_sleep(0.02)");
  co_await s.wire.flush();
  co_await cancel_me(s);
  co_await answer_or_canceled(s, "TDCZ", token);
}

Task<> cancel_write(Session& s) {
  const std::string token = s.token();
  put_query(s.wire.output(),
            "insert into ledger select '" + s.mark + "', '" + token + "', n from generate_series(1, 300) n");
  co_await s.wire.flush();
  if (s.random.chance(0.5)) co_await s.pause(std::chrono::milliseconds(s.random.between(0, 10)));
  co_await cancel_me(s);
  const Answer answer = co_await s.wire.answer();
  ++s.tally.answers_checked;
  const bool canceled = answer.sqlstate() == "57014";
  ++(canceled ? s.tally.cancels_hit : s.tally.cancels_missed);
  s.require_shape(answer, answer.shape(), canceled ? "EZ" : "CZ");
  co_await s.expect("select count(*) from ledger where token = '" + token + "'", canceled ? "0" : "300");
  if (!canceled) co_await s.command("delete from ledger where token = '" + token + "'", "DELETE 300");
}

Task<> cancel_in_transaction(Session& s) {
  const std::string token = s.token();
  co_await s.command("begin", "BEGIN");
  put_query(s.wire.output(), "select '" + token + "', pg_sleep(3)");
  co_await s.wire.flush();
  co_await s.pause(std::chrono::milliseconds(s.random.between(5, 60)));
  co_await cancel_me(s);
  co_await answer_or_canceled(s, "TDCZ", token);
  const Answer after = co_await s.rollback();
  s.require(after.tag() == "ROLLBACK", "ROLLBACK");
}

/// Nothing runs: the next statement must not feel it, nor that of any other client.
Task<> cancel_nothing(Session& s) {
  ++s.tally.cancels_in_vain;
  co_await cancel_me(s);
}

Task<> cancel_with_wrong_key(Session& s) {
  ++s.tally.cancels_in_vain;
  protocol::CancelKey key;
  key.process_id = s.random.chance(0.5) && s.wire.cancel_key() ? s.wire.cancel_key()->process_id
                                                               : s.random.between(1, 100'000);
  key.secret_key = s.random.hex(4);
  co_await send_cancel(s, key);
}

}  // namespace

std::vector<Operation> cancel_operations() {
  std::vector<Operation> all;
  all.push_back({"cancel sleep", 20, cancel_sleep});
  all.push_back({"cancel queued", 15, cancel_queued});
  all.push_back({"cancel write", 12, cancel_write});
  all.push_back({"cancel in transaction", 8, cancel_in_transaction});
  all.push_back({"cancel nothing", 5, cancel_nothing});
  all.push_back({"cancel with wrong key", 5, cancel_with_wrong_key});
  return all;
}

}  // namespace tidemark::soak
