// Several Syncs under way at once, errors in the middle, sessions that send far ahead.

#include "tests/soak/messages.hpp"
#include "tests/soak/operations.hpp"

namespace tidemark::soak {
namespace {

void put_question(std::string& out, const std::string& sql, const Parameters& values) {
  put_parse(out, "", sql);
  put_bind(out, "", "", values);
  put_execute(out, "");
}

Task<> several_syncs(Session& s) {
  const int count = s.random.between(2, 12);
  std::vector<std::string> tokens;
  std::string& out = s.wire.output();
  for (int i = 0; i < count; ++i) {
    tokens.push_back(s.token());
    put_question(out, "select $1::text", {tokens.back()});
    put_sync(out);
  }
  co_await s.wire.flush();
  for (const std::string& token : tokens) {
    const Answer answer = co_await s.expect_answer("12DCZ");
    s.require(answer.rows().at(0).at(0) == token, "a pipeline's answer");
  }
}

/// Reads, writes and errors, each of them a transaction of its own.
Task<> mixed(Session& s) {
  struct Step {
    int kind;
    std::string token;
  };
  const int count = s.random.between(3, 10);
  std::vector<Step> steps;
  std::string& out = s.wire.output();
  for (int i = 0; i < count; ++i) {
    Step step{s.random.between(0, 4), s.token()};
    switch (step.kind) {
      case 0:
        put_question(out, "select $1::text", {step.token});
        break;
      case 1:
        put_question(out, "insert into ledger values ($1, $2, 1)", {s.mark, step.token});
        break;
      case 2:  // what follows the error is skipped up to Sync
        put_question(out, "select $1::int", {step.token});
        put_question(out, "select 'skipped'", {});
        break;
      case 3:
        put_question(out, "select $1::text", {step.token});
        put_question(out, "select 1/0", {});
        put_question(out, "insert into ledger values ('never', 'never', 0)", {});
        break;
      default:
        put_query(out, "select '" + step.token + "'");
        break;
    }
    if (step.kind != 4) put_sync(out);
    steps.push_back(step);
  }
  co_await s.wire.flush();
  for (const Step& step : steps) {
    constexpr std::string_view shapes[] = {"12DCZ", "12CZ", "1EZ", "12DC1EZ", "TDCZ"};
    Answer answer = co_await s.wire.answer();
    ++s.tally.answers_checked;
    std::string shape = answer.shape();
    // Constants are folded when a statement is planned, which is at Bind, or seen when it runs.
    if (step.kind == 2 && shape == "12EZ") shape = "1EZ";
    if (step.kind == 3 && shape == "12DC12EZ") shape = "12DC1EZ";
    s.require_shape(answer, shape, shapes[static_cast<std::size_t>(step.kind)]);
    if (step.kind == 2) s.require_error(answer, "22P02", step.token);
    if (step.kind == 3) s.require_error(answer, "22012");
    if (step.kind != 1 && step.kind != 2)
      s.require(answer.rows().at(0).at(0) == step.token, "a mixed pipeline's answer");
  }
  for (const Step& step : steps)
    if (step.kind == 1) {
      co_await s.expect("select count(*) from ledger where token = '" + step.token + "'", "1");
      co_await s.command("delete from ledger where token = '" + step.token + "'", "DELETE 1");
    }
}

/// One implicit transaction of several statements, of which the last one fails: nothing stays.
Task<> one_sync_with_error(Session& s) {
  const std::string token = s.token();
  std::string& out = s.wire.output();
  put_question(out, "insert into ledger values ($1, $2, 1)", {s.mark, token});
  put_question(out, "select token from ledger where token = $1", {token});
  put_question(out, "select $1::int", {token});
  put_sync(out);
  const Answer answer = co_await s.wire_exchange();
  std::string shape = answer.shape();
  if (shape == "12C12DC12EZ") shape = "12C12DC1EZ";
  s.require_shape(answer, shape, "12C12DC1EZ");
  s.require_error(answer, "22P02", token);
  s.require_status(answer, 'I');
  co_await s.expect("select count(*) from ledger where token = '" + token + "'", "0");
}

Task<> batch_insert(Session& s) {
  const int count = s.random.between(2, 30);
  const std::string token = s.token();
  std::string& out = s.wire.output();
  put_parse(out, "", "insert into ledger values ($1, $2, $3)");
  std::string shape = "1";
  for (int i = 0; i < count; ++i) {
    put_bind(out, "", "", {s.mark, token, std::to_string(i)});
    put_execute(out, "");
    shape += "2C";
  }
  put_sync(out);
  shape += 'Z';
  co_await s.exchange(shape);
  const std::string number = std::to_string(count);
  co_await s.expect("select count(*) from ledger where token = '" + token + "'", number);
  co_await s.command("delete from ledger where token = '" + token + "'", "DELETE " + number);
}

Task<> transaction_in_pipeline(Session& s) {
  const std::string token = s.token();
  std::string& out = s.wire.output();
  put_query(out, "begin");
  put_query(out, "insert into ledger values ('" + s.mark + "', '" + token + "', 5)");
  put_query(out, "select n, token from ledger where token = '" + token + "'");
  const bool commit = s.random.chance(0.5);
  put_query(out, commit ? "commit" : "rollback");
  put_query(out, "select count(*) from ledger where token = '" + token + "'");
  co_await s.wire.flush();
  co_await s.expect_answer("CZ");
  co_await s.expect_answer("CZ");
  const Answer row = co_await s.expect_answer("TDCZ");
  s.require_status(row, 'T');
  s.require(row.rows().at(0).at(1) == token, "a row of the open transaction");
  co_await s.expect_answer("CZ");
  const Answer left = co_await s.expect_answer("TDCZ");
  s.require(left.rows().at(0).at(0) == (commit ? "1" : "0"), "what the transaction left");
  if (commit) co_await s.command("delete from ledger where token = '" + token + "'", "DELETE 1");
}

}  // namespace

std::vector<Operation> pipeline_operations() {
  std::vector<Operation> all;
  all.push_back({"several Syncs", 50, several_syncs});
  all.push_back({"mixed pipeline", 50, mixed});
  all.push_back({"one Sync with error", 20, one_sync_with_error});
  all.push_back({"batch insert", 20, batch_insert});
  all.push_back({"transaction in pipeline", 25, transaction_in_pipeline});
  return all;
}

}  // namespace tidemark::soak
