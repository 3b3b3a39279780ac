#pragma once

#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "routing/function_catalog.hpp"

namespace tidemark::proxy {

/// Counts logged-in clients by user and by database, in the whole process. Any thread; used once at a login
/// and once at a session's end. Somebody who has not proved who they are is not counted: nobody can use up
/// another's places.
class ClientLimits {
 public:
  /// 0: no limit.
  ClientLimits(std::uint32_t per_user, std::uint32_t per_database)
      : per_user_(per_user), per_database_(per_database) {}

  enum class Refusal : std::uint8_t { none, user, database };
  /// Counts one more client, unless a limit forbids it.
  [[nodiscard]] Refusal admit(std::string_view user, std::string_view database);
  /// A client that was admitted is gone.
  void release(std::string_view user, std::string_view database);

 private:
  using Counts = absl::flat_hash_map<std::string, std::uint32_t, routing::StringHash, std::equal_to<>>;
  static void subtract(Counts& counts, std::string_view name);

  const std::uint32_t per_user_;
  const std::uint32_t per_database_;
  std::mutex mutex_;
  Counts users_;
  Counts databases_;
};

}  // namespace tidemark::proxy
