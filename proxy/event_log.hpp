#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <mutex>
#include <string>

#include "config/config.hpp"
#include "pools/events.hpp"

namespace tidemark::proxy {

/// Sets the process's log up: one line per event on standard error, key=value, no secrets. Call once.
void start_log(const config::LogSettings& settings);

/// Turns events of the rooms below into log lines, rate-limited, and counts what metrics show of them. Any
/// thread.
class EventLog final : public pools::Events {
 public:
  void view_changed(const routing::ClusterView& before, const routing::ClusterView& after) override;
  void probe_failed(std::string_view node, std::string_view why) override;
  void server_failed(std::string_view node, std::string_view database, std::string_view user,
                     std::string_view why) override;
  void catalog_failed(std::string_view database, std::string_view why) override;

  /// How often another node became the primary.
  [[nodiscard]] std::uint64_t failovers() const { return failovers_.load(std::memory_order_relaxed); }

  // The process's own life.
  static void started(const config::Config& config, unsigned workers);
  static void trusting(const std::string& address);
  static void stopping(std::string_view why);
  static void problem(std::string_view what);

 private:
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
