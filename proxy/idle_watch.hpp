#pragma once

#include <chrono>
#include <cstdint>

#include "pools/pool_settings.hpp"

namespace tidemark::proxy {

/// Finds out, by looking at a session now and then, that it has done the same for longer than it may. So
/// nothing is noted on the path of a transaction; what is due is seen at the first look after it. Pure.
class IdleWatch {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  enum class Doing : std::uint8_t {
    idle,                 ///< outside of a transaction, nothing under way
    idle_in_transaction,  ///< the next statement of a transaction is the client's to send
    running,              ///< a statement is under way at a server
    other,                ///< anything that has a deadline of its own
  };
  enum class Due : std::uint8_t { none, client_idle, idle_transaction, query };

  /// `unit_began`: when the last statement came. A query is due once.
  [[nodiscard]] Due look(Doing doing, TimePoint unit_began, TimePoint now, const pools::PoolSettings& limits);

  /// How often to look so that nothing is late by more than a quarter; zero: no limit is set.
  [[nodiscard]] static std::chrono::nanoseconds interval(const pools::PoolSettings& limits);

 private:
  TimePoint unit_began_{};
  TimePoint since_{};  ///< when it was first seen doing this
  Doing doing_ = Doing::other;
  bool told_ = false;
};

}  // namespace tidemark::proxy
