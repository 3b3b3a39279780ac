#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <string_view>

#include "tests/soak/answer.hpp"
#include "tests/soak/connection.hpp"
#include "tests/soak/loop.hpp"
#include "tests/soak/random.hpp"
#include "tests/soak/tally.hpp"
#include "tests/soak/task.hpp"

namespace tidemark::soak {

/// One connection of a client, what the client knows of its state, and questions whose answers are checked.
/// Operations work on this. Whatever is not as it should be is thrown (outcome.hpp).
class Session {
 public:
  Session(Loop& loop_in, Random& random_in, Tally& tally_in, std::uint16_t port_in, std::string secret);

  Loop& loop;
  Random& random;
  Tally& tally;
  Connection wire;
  const std::uint16_t port;
  const std::string mark;  ///< begins each of our tokens, and nobody else's

  /// What SHOW must give now, by parameter; and what it gives after RESET.
  std::map<std::string, std::string> settings;
  std::map<std::string, std::string> startup_settings;
  /// Our named statements: name -> number of the text (see shared_text()).
  std::map<std::string, int> prepared;

  /// A text that only this client knows, new each time.
  std::string token() { return mark + std::to_string(++tokens_); }
  /// A name for a channel, table or statement: of this client alone, without signs to quote.
  [[nodiscard]] std::string name(std::string_view prefix) const;

  /// Sends what was put into wire.output(), takes the answer up to ReadyForQuery and checks its shape
  /// (Answer::shape()). Another one is Interrupted if an allowed error explains it, else Wrong.
  Task<Answer> exchange(std::string shape);
  /// The next answer alone; for what has been sent already.
  Task<Answer> expect_answer(std::string shape);

  /// Likewise, for answers of more than one good shape: the caller calls require_shape().
  Task<Answer> wire_exchange();
  void require_shape(const Answer& answer, std::string_view shape, std::string_view expected) const;
  /// One message, before ReadyForQuery.
  Task<Message> expect_message(char type);

  /// One statement that gives rows, by Query or by the extended protocol, as chance will have it.
  Task<Answer> ask(std::string sql);
  /// Likewise: exactly one row with that one column.
  Task<> expect(std::string sql, std::string value);
  /// One statement without rows.
  Task<> command(std::string sql, std::string tag);
  /// ROLLBACK by Query, whatever state the transaction is in.
  Task<Answer> rollback();
  /// One statement, by Query, that ends with that error; the text must contain `text`.
  Task<> fails(std::string sql, std::string code, std::string text = {});

  void require(bool good, std::string_view what, const std::string& seen = {}) const;
  /// The answer's first error must have this code.
  void require_error(const Answer& answer, std::string_view code, std::string_view text = {});
  void require_status(const Answer& answer, char status) const;

  /// For a cancel request of ours: until when a 57014 that nobody asked for may still be its doing.
  void expect_late_cancel(std::chrono::milliseconds span) { late_cancel_until_ = Clock::now() + span; }
  /// Whether this error may come at any time, and why: the one list of them.
  [[nodiscard]] bool allowed_error(std::string_view code) const;

  Loop::Wait pause(std::chrono::milliseconds time) { return loop.until(Clock::now() + time); }

 private:
  void judge(const Answer& answer, std::string_view shape) const;

  std::uint64_t tokens_ = 0;
  Clock::time_point late_cancel_until_{};
};

}  // namespace tidemark::soak
