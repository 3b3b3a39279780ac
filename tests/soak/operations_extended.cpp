// The extended protocol: unnamed and named statements, portals, formats, large parameters.

#include "tests/soak/messages.hpp"
#include "tests/soak/operations.hpp"

namespace tidemark::soak {
namespace {

constexpr int shared_texts = 300;  // more than a server connection keeps

/// The same for all clients, so that a proxy may share the statement. $1 is the token.
std::string shared_text(int number) {
  return "select $1::text as token, " + std::to_string(number) + " as number";
}

void require_shared_row(const Session& s, const Answer& answer, const std::string& token, int number) {
  const std::vector<Row> rows = answer.rows();
  s.require(rows.size() == 1 && rows[0].size() == 2, "one row with two columns");
  s.require(rows[0][0] == token && rows[0][1] == std::to_string(number), "the answer of a prepared statement",
            rows[0][0].value_or("NULL") + ", " + rows[0][1].value_or("NULL"));
}

int pick_text(Session& s) {
  // A few are popular.
  return s.random.chance(0.5) ? s.random.between(0, 9) : s.random.between(0, shared_texts - 1);
}

/// All clients use the same names, for texts of their own choice.
std::string pick_name(Session& s) {
  return "s" + std::to_string(s.random.below(6));
}

Task<> unnamed(Session& s) {
  const std::string token = s.token();
  const int number = pick_text(s);
  std::string& out = s.wire.output();
  put_parse(out, "", shared_text(number));
  put_bind(out, "", "", {token});
  put_execute(out, "");
  put_sync(out);
  const Answer answer = co_await s.exchange("12DCZ");
  require_shared_row(s, answer, token, number);
}

/// Prepares `name` with another text, unless it is there and may stay.
Task<> prepare(Session& s, std::string name) {
  const auto known = s.prepared.find(name);
  if (known != s.prepared.end() && s.random.chance(0.8)) co_return;
  std::string& out = s.wire.output();
  std::string shape;
  if (known != s.prepared.end()) {
    put_close(out, 'S', name);
    shape = "3";
    s.prepared.erase(known);
  }
  const int number = pick_text(s);
  put_parse(out, name, shared_text(number));
  if (s.random.chance(0.5)) {  // a round trip of its own, as drivers do
    put_describe(out, 'S', name);
    shape += "1tT";
    if (s.random.chance(0.4)) {
      put_flush(out);
      co_await s.wire.flush();
      for (const char type : shape) co_await s.expect_message(type);
      put_sync(out);
      shape.clear();
    } else {
      put_sync(out);
    }
    shape += 'Z';
    co_await s.exchange(shape);
    s.prepared[name] = number;
    co_return;
  }
  s.prepared[name] = number;
  const std::string token = s.token();
  put_bind(out, "", name, {token});
  put_execute(out, "");
  put_sync(out);
  shape += "12DCZ";
  const Answer answer = co_await s.exchange(shape);
  require_shared_row(s, answer, token, number);
}

Task<> named(Session& s) {
  const std::string name = pick_name(s);
  co_await prepare(s, name);
  const int times = s.random.between(1, 4);
  for (int i = 0; i < times; ++i) {
    const std::string token = s.token();
    std::string& out = s.wire.output();
    put_bind(out, "", name, {token});
    put_describe(out, 'P', "");
    put_execute(out, "");
    put_sync(out);
    const Answer answer = co_await s.exchange("2TDCZ");
    require_shared_row(s, answer, token, s.prepared[name]);
  }
}

Task<> closed_statement(Session& s) {
  const std::string name = pick_name(s);
  std::string& out = s.wire.output();
  put_close(out, 'S', name);
  put_sync(out);
  co_await s.exchange("3Z");
  s.prepared.erase(name);
  put_bind(out, "", name, {"x"});
  put_execute(out, "");
  put_sync(out);
  const Answer answer = co_await s.exchange("EZ");
  s.require_error(answer, "26000");
}

Task<> prepared_twice(Session& s) {
  const std::string name = pick_name(s);
  co_await prepare(s, name);
  put_parse(s.wire.output(), name, shared_text(1));
  put_sync(s.wire.output());
  const Answer answer = co_await s.exchange("EZ");
  s.require_error(answer, "42P05", "prepared statement \"s");
  // Names of one client for one text are one statement behind them, so the error may name any of those.
  bool named = false;
  for (const auto& [own, number] : s.prepared)
    if (number == s.prepared[name])
      named = named || answer.error_text().find('"' + own + '"') != std::string::npos;
  s.require(named, "the name in an error", answer.error_text());
}

Task<> portal_in_pieces(Session& s) {
  const std::string token = s.token();
  const int count = s.random.between(11, 60);
  std::string& out = s.wire.output();
  const std::string portal = s.random.chance(0.5) ? "p1" : "";
  put_query(out, "begin");
  co_await s.exchange("CZ");
  put_parse(out, "", "select n, $1::text from generate_series(1, $2::int) n");
  put_bind(out, portal, "", {token, std::to_string(count)});
  put_execute(out, portal, 5);
  put_execute(out, portal, 5);
  put_execute(out, portal, 0);
  put_sync(out);
  const Answer answer = co_await s.exchange("12DsDsDCZ");
  s.require_status(answer, 'T');
  const std::vector<Row> rows = answer.rows();
  s.require(rows.size() == static_cast<std::size_t>(count), "the number of rows in pieces");
  for (std::size_t i = 0; i < rows.size(); ++i)
    s.require(rows[i][0] == std::to_string(i + 1) && rows[i][1] == token, "a piece's row");
  co_await s.command("commit", "COMMIT");
}

Task<> binary_result(Session& s) {
  const int value = s.random.between(0, 0x7fffffff);
  std::string& out = s.wire.output();
  put_parse(out, "", "select $1::int4");
  put_bind(out, "", "", {std::to_string(value)}, true);
  put_describe(out, 'P', "");
  put_execute(out, "");
  put_sync(out);
  const Answer answer = co_await s.exchange("12TDCZ");
  std::string expected;
  for (unsigned shift : {24U, 16U, 8U, 0U})
    expected +=
        static_cast<char>(static_cast<unsigned char>((static_cast<std::uint32_t>(value) >> shift) & 0xffU));
  s.require(answer.rows().at(0).at(0) == expected, "a binary value");
}

Task<> large_parameter(Session& s) {
  const std::string token = s.token();
  const auto size = static_cast<std::size_t>(s.random.between(20'000, 200'000));
  std::string& out = s.wire.output();
  put_parse(out, "", "select $1::text || $2::text");
  put_bind(out, "", "", {token, std::string(size, 'z')});
  put_execute(out, "");
  put_sync(out);
  const Answer answer = co_await s.exchange("12DCZ");
  const std::string value = answer.rows().at(0).at(0).value_or("");
  s.require(value.size() == token.size() + size && value.compare(0, token.size(), token) == 0,
            "a large value that comes back");
}

}  // namespace

std::vector<Operation> extended_operations() {
  std::vector<Operation> all;
  all.push_back({"unnamed statement", 60, unnamed});
  all.push_back({"named statement", 120, named});
  all.push_back({"closed statement", 15, closed_statement});
  all.push_back({"prepared twice", 8, prepared_twice});
  all.push_back({"portal in pieces", 20, portal_in_pieces});
  all.push_back({"binary result", 20, binary_result});
  all.push_back({"large parameter", 5, large_parameter});
  return all;
}

}  // namespace tidemark::soak
