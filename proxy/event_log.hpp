#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "config/config.hpp"
#include "pools/events.hpp"
#include "pools/replication_events.hpp"
#include "proxy/authenticator.hpp"
#include "proxy/reloader.hpp"
#include "proxy/user_marks.hpp"

namespace tidemark::proxy {

/// Sets the process's log up: one line per event on standard error, key=value, no secrets. Call once.
void start_log(const config::LogSettings& settings);

/// Turns events of the rooms below into log lines, rate-limited, and counts what metrics show of them. Any
/// thread.
class EventLog final : public pools::Events, public pools::ReplicationEvents {
 public:
  void view_changed(const routing::ClusterView& before, const routing::ClusterView& after) override;
  void probe_failed(std::string_view node, std::string_view why) override;
  void history_unreadable(std::string_view node, std::string_view why) override;
  void server_failed(std::string_view node, std::string_view database, std::string_view user,
                     std::string_view why) override;
  void discovery_failed(std::string_view why) override;
  void catalog_failed(std::string_view database, std::string_view why) override;

  // Told by pools::ReplicationWatch, which takes care that they do not come too often.
  void alert_began(std::string_view node, const pools::Finding& finding) override;
  void alert_ended(std::string_view node, const pools::Finding& finding, routing::Duration lasted,
                   bool known) override;
  void replication_unreadable(std::string_view node, std::string_view why) override;

  /// `count` sessions of one worker lost their server connections to the node (rule 10). As rare as a
  /// topology's change.
  static void sessions_fenced(std::string_view node, std::size_t count, std::string_view why);

  /// A session's marks are not on the new primary's timeline (routing/README.md, rule 9).
  void write_lost(std::string_view database, std::string_view user, const Loss& loss);

  /// A client was not let in.
  void login_failed(const AuthFailure& failure);

  /// A client's TLS handshake failed; `why` as OpenSSL says it.
  void tls_failed(const std::string& address, std::string_view why);

  /// How often another node became the primary.
  [[nodiscard]] std::uint64_t failovers() const { return failovers_.load(std::memory_order_relaxed); }

  // The process's own life.
  static void started(const config::Config& config, unsigned workers);
  static void trusting(const config::Config& config);
  static void stopping(std::string_view why);
  /// A reload was asked for; this came of it.
  static void reloaded(const Reloader::Outcome& outcome);
  // The marks that are kept in Redis.
  static void redis_lost(std::string_view why);
  static void redis_found();
  static void redis_forgot();
  static void set_level(config::LogLevel level);
  static void warning(std::string_view what);
  static void problem(std::string_view what);

 private:
  void authority_changed(const routing::ClusterView& before, const routing::ClusterView& after);
  void lag_changed(const routing::NodeState& before, const routing::NodeState& after);
  /// Whether a line of this kind may be written now; counts those that may not.
  bool allow(const std::string& kind, std::uint64_t& suppressed);

  struct Rate {
    std::chrono::steady_clock::time_point last{};
    std::uint64_t suppressed = 0;
  };
  std::mutex mutex_;
  std::map<std::string, Rate> rates_;
  std::string last_primary_;
  std::atomic<std::uint64_t> failovers_{0};
};

}  // namespace tidemark::proxy
