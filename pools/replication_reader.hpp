#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>

#include "pools/callback_guard.hpp"
#include "pools/libpq_connection.hpp"
#include "pools/replication_facts.hpp"

namespace tidemark::pools {

/// Asks one node about replication, when told to, on a connection of its own that is kept. On the monitor's
/// thread only.
class ReplicationReader final : private LibpqClient {
 public:
  using OnAnswer = std::function<void(NodeFacts facts)>;
  /// The node was reached and did not tell: it refused, or what it told makes no sense.
  using OnRefused = std::function<void(std::string_view why)>;

  /// All references must outlive the reader. The callbacks are called last thing in a handler.
  ReplicationReader(boost::asio::io_context& io, CallbackGuard& guard, OnAnswer on_answer,
                    OnRefused on_refused);
  ReplicationReader(const ReplicationReader&) = delete;
  ReplicationReader& operator=(const ReplicationReader&) = delete;

  /// Asks, after connecting if need be; nothing while a question is under way. A connection to elsewhere is
  /// closed. What comes of it comes within `target.statement_timeout` and a second for each step.
  void ask(const LibpqTarget& target);
  /// Closes the connection; no callback follows until the next question.
  void close();

 private:
  enum class State : std::uint8_t { closed, connecting, idle, asking };

  void send();
  void on_connected() override;
  void on_result(const LibpqResult& result) override;
  void on_refused(std::string_view why) override;
  void on_lost(std::string_view why) override;

  LibpqConnection connection_;
  OnAnswer on_answer_;
  OnRefused on_refused_;
  State state_ = State::closed;
  std::string host_;
  std::uint16_t port_ = 0;
  LibpqConnection::Clock::duration time_limit_{};
};

}  // namespace tidemark::pools
