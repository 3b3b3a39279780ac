#include "tests/soak/session.hpp"

#include <utility>

#include "tests/soak/messages.hpp"
#include "tests/soak/outcome.hpp"

namespace tidemark::soak {

Session::Session(Loop& loop_in, Random& random_in, Tally& tally_in, std::uint16_t port_in, std::string secret)
    : loop(loop_in),
      random(random_in),
      tally(tally_in),
      wire(loop_in, random_in, std::string(Connection::mark_begins) + secret + "-"),
      port(port_in),
      mark(std::string(Connection::mark_begins) + secret + "-") {}

std::string Session::name(std::string_view prefix) const {
  std::string text(prefix);
  for (const char c : mark)
    if (c != '-') text += c;
  return text;
}

bool Session::allowed_error(std::string_view code) const {
  // Our own cancel request, which reached the server after the statement that it was meant for.
  if (code == "57014") return Clock::now() < late_cancel_until_;
  // A read at a replica that replay had to end (manual, 27.4.2), with rows already sent or in a transaction.
  return code == "40001";
}

void Session::require(bool good, std::string_view what, const std::string& seen) const {
  if (good) return;
  throw Wrong{std::string(what) + (seen.empty() ? "" : ": " + seen.substr(0, 300))};
}

void Session::judge(const Answer& answer, std::string_view shape) const {
  const std::string code = answer.sqlstate();
  if (!code.empty() && allowed_error(code)) throw Interrupted{code};
  throw Wrong{"expected " + std::string(shape) + ", got " + answer.shape() + " " + code + " " +
              answer.error_text()};
}

Task<Answer> Session::expect_answer(std::string shape) {
  Answer answer = co_await wire.answer();
  ++tally.answers_checked;
  if (answer.shape() != shape) judge(answer, shape);
  co_return answer;
}

Task<Answer> Session::wire_exchange() {
  co_await wire.flush();
  Answer answer = co_await wire.answer();
  ++tally.answers_checked;
  co_return answer;
}

void Session::require_shape(const Answer& answer, std::string_view shape, std::string_view expected) const {
  if (shape != expected) judge(answer, expected);
}

Task<Message> Session::expect_message(char type) {
  Message message = co_await wire.next();
  if (message.type != type) {
    Answer answer;
    answer.messages.push_back(std::move(message));
    judge(answer, std::string(1, type));
  }
  co_return message;
}

Task<Answer> Session::exchange(std::string shape) {
  co_await wire.flush();
  Answer answer = co_await expect_answer(std::move(shape));
  co_return answer;
}

void Session::require_error(const Answer& answer, std::string_view code, std::string_view text) {
  const std::string got = answer.sqlstate();
  if (got != code) judge(answer, "error " + std::string(code));
  require(answer.error_text().find(text) != std::string::npos, "an error's text", answer.error_text());
  ++tally.errors[got];
}

void Session::require_status(const Answer& answer, char status) const {
  if (answer.status() != status)
    throw Wrong{std::string("transaction status ") + answer.status() + " instead of " + status};
}

Task<Answer> Session::ask(std::string sql) {
  std::string& out = wire.output();
  std::string prefix;
  if (random.chance(0.5)) {
    put_query(out, sql);
  } else {
    put_parse(out, "", sql);
    put_bind(out, "", "", {});
    put_describe(out, 'P', "");
    put_execute(out, "");
    put_sync(out);
    prefix = "12";
  }
  co_await wire.flush();
  Answer answer = co_await wire.answer();
  ++tally.answers_checked;
  const std::string shape = answer.shape();
  if (shape != prefix + "TDCZ" && shape != prefix + "TCZ") judge(answer, prefix + "T[D]CZ");
  co_return answer;
}

Task<> Session::expect(std::string sql, std::string value) {
  const Answer answer = co_await ask(sql);
  const std::vector<Row> rows = answer.rows();
  require(rows.size() == 1 && rows[0].size() == 1, "one row with one column", sql);
  const std::string got = rows[0][0].value_or("NULL");
  require(got == value, "an answer's value", "'" + got + "' instead of '" + value + "' for " + sql);
}

Task<> Session::command(std::string sql, std::string tag) {
  std::string& out = wire.output();
  std::string shape = "CZ";
  if (random.chance(0.5)) {
    put_query(out, sql);
  } else {
    put_parse(out, "", sql);
    put_bind(out, "", "", {});
    put_describe(out, 'P', "");
    put_execute(out, "");
    put_sync(out);
    shape = "12nCZ";
  }
  const Answer answer = co_await exchange(shape);
  require(answer.tag() == tag, "a command's tag", answer.tag() + " instead of " + tag + " for " + sql);
}

Task<Answer> Session::rollback() {
  put_query(wire.output(), "rollback");
  Answer answer = co_await exchange("CZ");
  co_return answer;
}

Task<> Session::fails(std::string sql, std::string code, std::string text) {
  put_query(wire.output(), sql);
  const Answer answer = co_await exchange("EZ");
  require_error(answer, code, text);
}

}  // namespace tidemark::soak
