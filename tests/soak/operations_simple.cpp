// Query: one statement, several, errors, notices, large answers.

#include "tests/soak/messages.hpp"
#include "tests/soak/operations.hpp"

namespace tidemark::soak {
namespace {

Task<> one_statement(Session& s) {
  const std::string token = s.token();
  co_await s.expect("select '" + token + "'", token);
}

Task<> several_statements(Session& s) {
  const std::string first = s.token();
  const std::string second = s.token();
  put_query(s.wire.output(),
            "select '" + first + "'; select n, '" + second + "' from generate_series(1, 3) n; select 7");
  const Answer answer = co_await s.exchange("TDCTDCTDCZ");
  const std::vector<Row> rows = answer.rows();
  s.require(rows.size() == 5, "five rows");
  s.require(rows[0][0] == first, "the first statement's row");
  for (std::size_t i = 1; i <= 3; ++i)
    s.require(rows[i].size() == 2 && rows[i][0] == std::to_string(i) && rows[i][1] == second,
              "the second's rows");
  s.require(rows[4][0] == "7", "the third's row");
}

Task<> error_between_statements(Session& s) {
  const std::string token = s.token();
  put_query(s.wire.output(), "select '" + token + "'; select 1/0; select 'never'");
  const Answer answer = co_await s.exchange("TDCEZ");
  s.require_error(answer, "22012");
  s.require(answer.rows().at(0).at(0) == token, "the row before the error");
}

Task<> error_with_token(Session& s) {
  const std::string token = s.token();
  if (s.random.chance(0.5)) {
    co_await s.fails("select '" + token + "'::int", "22P02", token);
  } else {
    co_await s.fails("do $$ begin raise exception '" + token + "' using errcode = 'SOAK1'; end $$", "SOAK1",
                     token);
  }
}

Task<> syntax_error(Session& s) {
  const std::string name = s.name("nothing_");
  co_await s.fails("select * from " + name, "42P01", name);
}

Task<> notice(Session& s) {
  const std::string token = s.token();
  put_query(s.wire.output(), "do $$ begin raise notice '" + token + "'; end $$");
  const Answer answer = co_await s.exchange("NCZ");
  s.require(error_message(answer.messages[0].body) == token, "a notice's text");
}

Task<> empty_query(Session& s) {
  put_query(s.wire.output(), s.random.chance(0.5) ? "" : "  -- nothing");
  co_await s.exchange("IZ");
}

Task<> large_result(Session& s) {
  const std::string token = s.token();
  const int count = s.random.chance(0.2) ? 2000 : s.random.between(10, 400);
  const std::string number = std::to_string(count);
  const Answer answer =
      co_await s.ask("select n, '" + token + "', repeat('x', 100) from generate_series(1, " + number + ") n");
  const std::vector<Row> rows = answer.rows();
  s.require(rows.size() == static_cast<std::size_t>(count), "the number of rows",
            std::to_string(rows.size()));
  for (std::size_t i = 0; i < rows.size(); ++i)
    s.require(rows[i].size() == 3 && rows[i][0] == std::to_string(i + 1) && rows[i][1] == token,
              "rows in order");
}

Task<> slow_reader(Session& s) {
  const std::string token = s.token();
  s.wire.read_slowly(std::chrono::milliseconds(s.random.between(1, 6)));
  const Answer answer =
      co_await s.ask("select n, '" + token + "', repeat('y', 400) from generate_series(1, 2000) n");
  s.wire.read_slowly(std::chrono::milliseconds(0));
  const std::vector<Row> rows = answer.rows();
  s.require(rows.size() == 2000, "the number of rows");
  for (const Row& row : rows) s.require(row.size() == 3 && row[1] == token, "a slow reader's row");
}

Task<> function_call(Session& s) {
  const int left = s.random.between(0, 1'000'000'000);
  const int right = s.random.between(0, 1'000'000'000);
  put_function_call(s.wire.output(), 177, left, right);  // int4pl
  const Answer answer = co_await s.exchange("VZ");
  const auto sum = static_cast<std::uint32_t>(left + right);
  std::string expected("\0\0\0\4", 4);
  for (unsigned shift : {24U, 16U, 8U, 0U})
    expected += static_cast<char>(static_cast<unsigned char>((sum >> shift) & 0xffU));
  s.require(answer.messages[0].body == expected, "a function call's result");
}

}  // namespace

std::vector<Operation> simple_operations() {
  std::vector<Operation> all;
  all.push_back({"one statement", 120, one_statement});
  all.push_back({"several statements", 30, several_statements});
  all.push_back({"error between statements", 20, error_between_statements});
  all.push_back({"error with token", 30, error_with_token});
  all.push_back({"missing table", 10, syntax_error});
  all.push_back({"notice", 10, notice});
  all.push_back({"empty query", 5, empty_query});
  all.push_back({"large result", 20, large_result});
  all.push_back({"slow reader", 2, slow_reader});
  all.push_back({"function call", 8, function_call});
  return all;
}

}  // namespace tidemark::soak
