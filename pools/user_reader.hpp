#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "pools/callback_guard.hpp"
#include "pools/libpq_connection.hpp"
#include "pools/pool_settings.hpp"
#include "pools/snapshot.hpp"
#include "routing/cluster_view.hpp"

namespace tidemark::pools {

/// What the cluster said of one user.
struct UserAnswer {
  enum class Outcome : std::uint8_t {
    found,
    unknown,      ///< no row
    unreachable,  ///< no node could be asked in time
    refused,      ///< the query is no good: its error, or an answer that makes no sense
  };
  Outcome outcome = Outcome::unreachable;
  std::optional<std::string> secret{};       ///< found: as pg_authid.rolpassword; nullopt: NULL, no password
  std::optional<std::string> valid_until{};  ///< found: text of a timestamp in UTC, if the query tells
  std::string why{};                         ///< unreachable, refused: for the log, without secrets
};

/// Asks the cluster for users' secrets, one after the other on one connection of its own: the primary, or
/// while there is none any node that answers. The connection is kept while questions keep coming. On the
/// monitor's thread, unless marked.
class UserReader final : private LibpqClient {
 public:
  using Clock = std::chrono::steady_clock;
  using OnAnswer = std::function<void(const std::string& user, UserAnswer answer)>;

  /// All references must outlive the reader. `on_answer` is called once for each `want`, on this thread,
  /// within the timeout of the settings.
  UserReader(boost::asio::io_context& io, const ClusterSettings& cluster,
             const Snapshot<routing::ClusterView>& view, UserQuerySettings settings, OnAnswer on_answer);
  ~UserReader() { stop(); }
  UserReader(const UserReader&) = delete;
  UserReader& operator=(const UserReader&) = delete;

  /// (any thread) Whoever wants one user several times asks several times.
  void want(std::string user);
  /// (any thread) From now on this is asked.
  void change(UserQuerySettings settings);
  /// (any thread) No answer is given afterwards.
  void stop();

 private:
  enum class State : std::uint8_t { closed, connecting, idle, asking };
  struct Question {
    std::string user;
    Clock::time_point deadline;
  };

  void next();
  void connect();
  void ask();
  void answer_first(UserAnswer answer);
  void fail_overdue();
  void set_timer(Clock::time_point at);
  [[nodiscard]] std::optional<routing::NodeId> choose() const;
  [[nodiscard]] bool may_be_asked(routing::NodeId node) const;
  void on_connected() override;
  void on_result(const LibpqResult& result) override;
  void on_refused(std::string_view why) override;
  void on_lost(std::string_view why) override;

  boost::asio::io_context& io_;
  CallbackGuard guard_;
  const ClusterSettings& cluster_;
  const Snapshot<routing::ClusterView>& view_;
  UserQuerySettings settings_;
  OnAnswer on_answer_;
  LibpqConnection connection_;
  boost::asio::steady_timer timer_;
  State state_ = State::closed;
  routing::NodeId node_{};                    // connected to, or being connected to
  std::optional<routing::NodeId> unhealthy_;  // failed last: another one is tried first
  std::deque<Question> questions_;            // the first is being asked, or will be
  std::string last_failure_;
};

}  // namespace tidemark::pools
