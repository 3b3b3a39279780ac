#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
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

/// Reads which functions of a database are safe and what its routines may leave in a session, one database at
/// a time, on short connections of its own; publishes each answer and reads again every minute; bodies only
/// if some have changed. On the monitor's thread, but for `changed`.
class CatalogReader final : private LibpqClient {
 public:
  using Clock = std::chrono::steady_clock;
  struct Server {
    std::string name;  ///< as the operator wrote it
    std::string host;  ///< numeric, or a folder
    std::uint16_t port = 0;
    bool is_primary = false;
  };

  /// `server` tells which node to ask, nullopt when none can be; all references must outlive the reader.
  CatalogReader(boost::asio::io_context& io, CallbackGuard& guard, const ClusterSettings& settings,
                Snapshot<routing::FunctionCatalogs>& catalogs, Events& events,
                std::function<std::optional<Server>()> server);

  /// Reads `database` now if it was never read or a second has passed since; else when it has.
  void want(std::string_view database);
  /// (any thread) Functions of `database` are about to change or have just been changed: its catalog is
  /// outdated from now on, until it has been read by questions that were asked later.
  void changed(std::string_view database);
  /// The cluster changed: what could not be asked may be now.
  void look_again() { next(); }
  void stop();

 private:
  struct Entry {
    Clock::time_point due{};
    Clock::time_point started{};
    bool read = false;
    std::string fingerprint;  // of the bodies that were read last
    int failures = 0;         // in a row
  };

  enum class Step : std::uint8_t { functions, fingerprint, sources };

  void next();
  void take_functions(const LibpqResult& result);
  void take_sources(const LibpqResult& result);
  void publish(bool incomplete);
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
  Step step_ = Step::functions;
  std::shared_ptr<routing::FunctionCatalog> found_;
  std::string fingerprint_;
  std::mutex mutex_;  // of what follows, and of every publication
  absl::flat_hash_map<std::string, std::uint64_t, routing::StringHash, std::equal_to<>> changes_;
  std::uint64_t changes_at_start_ = 0;
  bool stopped_ = false;
  bool full_reported_ = false;
};

}  // namespace tidemark::pools
