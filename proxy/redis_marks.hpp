#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <absl/container/flat_hash_set.h>

#include "config/config.hpp"
#include "pools/cluster_monitor.hpp"
#include "proxy/marks_store.hpp"
#include "proxy/redis_address.hpp"
#include "proxy/redis_connection.hpp"
#include "proxy/redis_health.hpp"

namespace tidemark::proxy {

/// What all workers share of the marks in Redis. Owned by the app.
struct RedisShared {
  RedisShared(boost::asio::io_context& io, const config::MarksSettings& settings, unsigned connections,
              std::string proxy_id);
  const config::MarksSettings& settings;
  const std::string proxy;  ///< names this process among the proxies
  RedisHealth health;
  RedisAddress address;
  std::atomic<std::uint64_t> last_number{0};  ///< of a field
};

/// One worker's part in sharing the marks of users with a key between proxies: README.md, "Marks in Redis".
/// Asks for what others have told of a user, announces what is about to be done, and tells positions when
/// they are known. On the worker's thread; never waits.
class RedisMarks {
 public:
  /// For which unit of which session an answer is.
  struct Asker {
    std::uint64_t serial = 0;
    std::uint64_t ticket = 0;
  };
  /// Called with each answer; `ok`: it may be relied on.
  using Answered = std::function<void(const Asker&, bool ok)>;

  RedisMarks(pools::Reactor& reactor, RedisShared& shared, MarksStore& store, pools::ClusterMonitor& monitor,
             Answered answered);

  /// For an Asker; used once.
  [[nodiscard]] std::uint64_t next_ticket() { return ++last_ticket_; }
  /// What Redis says may be relied on now.
  [[nodiscard]] bool is_trusted() const;

  /// Has the user's marks raised by what the other proxies have told; then calls back. False: it cannot.
  [[nodiscard]] bool ask(std::uint64_t user, const Asker& asker);

  enum class Announced : std::uint8_t { there, asked, failed };
  /// Holds the field that announces `subject`, and sends it unless it is there. `number`: that of the field
  /// if it is held already, else 0; becomes its number.
  [[nodiscard]] Announced announce(std::uint64_t user, const SharedUser::Subject& subject,
                                   std::uint64_t& number, const Asker& asker);
  /// The marks have been raised by what was announced.
  void release(std::uint64_t user, std::uint64_t number);
  /// There may be something to tell of the user.
  void touch(std::uint64_t user);
  /// There is nothing to tell, or nobody to tell it to.
  [[nodiscard]] bool has_told() const {
    return !connection_.is_up() || (untold_.empty() && connection_.is_idle());
  }

 private:
  static constexpr std::size_t kMaxUntold = 100'000;

  template <class Function>
  decltype(auto) visit(std::uint64_t user, const Function& function);
  [[nodiscard]] std::vector<std::string> keys(std::uint64_t user) const;
  [[nodiscard]] std::string ttl() const;
  [[nodiscard]] routing::TimePoint stale() const;
  [[nodiscard]] bool send(std::uint64_t user, const SharedUser::Field& field, std::optional<Asker> asker);
  void take_in(std::uint64_t user, std::uint64_t life, const RedisValue& value, bool& ok);
  void tell();
  void tell(std::uint64_t user);
  void on_found();

  pools::Reactor& reactor_;
  RedisShared& shared_;
  MarksStore& store_;
  pools::ClusterMonitor& monitor_;
  pools::SnapshotReader<routing::ClusterView> view_;
  const Answered answered_;
  std::uint64_t last_ticket_ = 0;
  absl::flat_hash_set<std::uint64_t> untold_;  ///< users of whom there is something to tell
  bool too_many_ = false;                      ///< … and of others, whom nobody remembers
  pools::Reactor::Timer timer_;
  RedisConnection connection_;
};

}  // namespace tidemark::proxy
