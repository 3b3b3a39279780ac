#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "routing/consistency.hpp"
#include "routing/routing_policy.hpp"

namespace tidemark::proxy {

/// The values of the parameters `tidemark.…` that an application sets: what it asks the router for.
struct TidemarkValues {
  std::optional<routing::ConsistencyLevel> consistency;
  std::optional<std::chrono::nanoseconds> max_staleness;
  std::optional<std::uint64_t> max_staleness_bytes;
  bool node_is_primary = false;
  bool trace = false;
  std::string user;
  std::uint64_t user_key = 0;  ///< routing::user_key of `user`; 0: the connection is the user
  friend bool operator==(const TidemarkValues&, const TidemarkValues&) = default;
};

/// These parameters as a session has them, with the semantics of PostgreSQL's SET, SET LOCAL and RESET
/// (manual, "SET"), but for savepoints: ROLLBACK TO takes nothing back. Pure.
class TidemarkSettings {
 public:
  enum class Scope : std::uint8_t { session, local };

  [[nodiscard]] const TidemarkValues& now() const { return now_; }
  /// The parameters that can be set. Not among them: `token`, which moves marks and is no value, and what can
  /// only be shown.
  [[nodiscard]] static bool is_name(std::string_view name);

  /// Sets one of them, inside of a transaction or not. Returns what is wrong with the value; empty: nothing.
  std::string set(std::string_view name, std::string_view value, Scope scope, bool in_transaction);
  /// Likewise, before the session begins.
  std::string set_at_startup(std::string_view name, std::string_view value);
  void reset(std::string_view name, bool in_transaction);
  /// RESET ALL, DISCARD ALL.
  void reset_all(bool in_transaction);
  /// The open transaction has ended.
  void end_transaction(bool committed) {
    if (!changed_) return;
    if (committed) {
      session_ = pending_;
    } else {
      pending_ = session_;
    }
    now_ = session_;
    changed_ = false;
  }
  /// Something was set in the open transaction: end_transaction is to be told of its end.
  [[nodiscard]] bool changed_in_transaction() const { return changed_; }
  /// What SHOW answers for a parameter that can be set; `policy` gives the defaults.
  [[nodiscard]] std::string show(std::string_view name, const routing::RoutingPolicy& policy) const;

 private:
  template <class Change>
  void change(Scope scope, bool in_transaction, const Change& change);

  TidemarkValues startup_;
  TidemarkValues session_;  ///< that count if the open transaction fails
  TidemarkValues pending_;  ///< … if it commits
  TidemarkValues now_;
  bool changed_ = false;
};

}  // namespace tidemark::proxy
