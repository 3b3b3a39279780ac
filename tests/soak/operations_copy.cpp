// COPY in both directions, ended by the client, by the server, or broken off.

#include "tests/soak/messages.hpp"
#include "tests/soak/operations.hpp"

namespace tidemark::soak {
namespace {

Task<> copy_out(Session& s) {
  const std::string token = s.token();
  const int count = s.random.between(1, 500);
  put_query(s.wire.output(), "copy (select n, '" + token + "' from generate_series(1, " +
                                 std::to_string(count) + ") n) to stdout");
  const Answer answer = co_await s.exchange("HdcCZ");
  int number = 0;
  for (const Message& message : answer.messages) {
    if (message.type != 'd') continue;
    s.require(message.body == std::to_string(++number) + "\t" + token + "\n", "a line of COPY", message.body);
  }
  s.require(number == count, "the number of lines", std::to_string(number));
}

Task<> copy_in(Session& s) {
  const std::string token = s.token();
  const int count = s.random.between(1, 300);
  std::string& out = s.wire.output();
  put_query(out, "copy ledger from stdin");
  const bool at_once = s.random.chance(0.3);  // without waiting for CopyInResponse
  if (!at_once) {
    co_await s.wire.flush();
    co_await s.expect_message('G');
  }
  for (int i = 0; i < count; ++i) {
    put_copy_data(out, s.mark + "\t" + token + "\t" + std::to_string(i) + "\n");
    if (s.random.chance(0.02)) co_await s.wire.flush();
  }
  put_copy_done(out);
  const Answer answer = co_await s.exchange(at_once ? "GCZ" : "CZ");
  const std::string number = std::to_string(count);
  s.require(answer.tag() == "COPY " + number, "COPY's tag", answer.tag());
  co_await s.expect("select count(*) from ledger where token = '" + token + "'", number);
  co_await s.command("delete from ledger where token = '" + token + "'", "DELETE " + number);
}

Task<> copy_in_given_up(Session& s) {
  const std::string token = s.token();
  std::string& out = s.wire.output();
  put_query(out, "copy ledger from stdin");
  co_await s.wire.flush();
  co_await s.expect_message('G');
  put_copy_data(out, s.mark + "\t" + token + "\t1\n");
  put_copy_fail(out, token);
  const Answer answer = co_await s.exchange("EZ");
  s.require_error(answer, "57014", token);
  co_await s.expect("select count(*) from ledger where token = '" + token + "'", "0");
}

Task<> copy_in_refused(Session& s) {
  const std::string token = s.token();
  std::string& out = s.wire.output();
  put_query(out, "copy ledger from stdin");
  co_await s.wire.flush();
  co_await s.expect_message('G');
  put_copy_data(out, s.mark + "\t" + token + "\t" + token + "\n");
  for (int i = 0; i < 50; ++i) put_copy_data(out, s.mark + "\t" + token + "\t1\n");
  put_copy_done(out);
  const Answer answer = co_await s.exchange("EZ");
  s.require_error(answer, "22P02", token);
  co_await s.expect("select '" + token + "'", token);
}

}  // namespace

std::vector<Operation> copy_operations() {
  std::vector<Operation> all;
  all.push_back({"copy out", 25, copy_out});
  all.push_back({"copy in", 20, copy_in});
  all.push_back({"copy in given up", 10, copy_in_given_up});
  all.push_back({"copy in refused", 10, copy_in_refused});
  return all;
}

}  // namespace tidemark::soak
