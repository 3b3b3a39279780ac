#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_map.h>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "pools/callback_guard.hpp"
#include "pools/events.hpp"
#include "pools/libpq_connection.hpp"
#include "pools/pool_settings.hpp"
#include "pools/snapshot.hpp"
#include "routing/function_catalog.hpp"

namespace tidemark::pools {

/// Reads which functions of a database are safe, one database at a time, on short connections of its own;
/// publishes each answer and reads again every minute. On the monitor's thread only.
class CatalogReader final : private LibpqClient {
 public:
  using Clock = std::chrono::steady_clock;
  struct Server {
    std::string host;
    std::uint16_t port = 0;
  };

  /// `server` tells which node to ask, nullopt when none can be; all references must outlive the reader.
  CatalogReader(boost::asio::io_context& io, CallbackGuard& guard, const ClusterSettings& settings,
                Snapshot<routing::FunctionCatalogs>& catalogs, Events& events,
                std::function<std::optional<Server>()> server);

  /// Reads `database` now if it was never read or a second has passed since; else when it has.
  void want(std::string_view database);
  /// The cluster changed: what could not be asked may be now.
  void look_again() { next(); }
  void stop();

 private:
  struct Entry {
    Clock::time_point due{};
    Clock::time_point started{};
    bool read = false;
    int failures = 0;  // in a row
  };

  void next();
  void failed(std::string_view why);
  void set_timer(Clock::time_point at);
  void on_connected() override;
  void on_result(const LibpqResult& result) override;
  void on_refused(std::string_view why) override;
  void on_lost(std::string_view why) override;

  CallbackGuard& guard_;
  const ClusterSettings& settings_;
  Snapshot<routing::FunctionCatalogs>& catalogs_;
  Events& events_;
  std::function<std::optional<Server>()> server_;
  LibpqConnection connection_;
  boost::asio::steady_timer timer_;
  absl::flat_hash_map<std::string, Entry, routing::StringHash, std::equal_to<>> databases_;
  std::string reading_;  // the database being read; empty: none
  bool stopped_ = false;
  bool full_reported_ = false;
};

}  // namespace tidemark::pools
