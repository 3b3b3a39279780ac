#pragma once

#include <cstdint>
#include <optional>

#include "routing/cluster_view.hpp"

namespace tidemark::routing {

/// What was observed of the primary's present life: of one postmaster as the primary of one timeline. Pure;
/// part of the reducer's state.
class Reign {
 public:
  /// `primary`, as just observed; the server's life is told by its start, or where that is unknown by the
  /// probe's connection.
  void observe(const NodeState& primary);

  /// The reign's timeline ended in order, as its successor's WAL says: right behind a shutdown checkpoint at
  /// `shutdown`, at `end`. nullopt unless the server that was observed is known to have lived up to that, or
  /// to have been followed by one that did.
  [[nodiscard]] std::optional<HandOver> handed_over(TimelineId timeline, Lsn shutdown, Lsn end) const;

 private:
  [[nodiscard]] bool is_same_life(const NodeState& primary) const;

  bool began_ = false;
  bool disputed_ = false;  // another node was the primary of this timeline before
  NodeId node_{};
  TimelineId timeline_;
  std::uint64_t incarnation_ = 0;
  std::int64_t server_start_ = 0;
  Lsn first_position_;         // where its WAL was when this life was first observed
  TimePoint last_observed_{};  // when the last question that it answered was asked
};

}  // namespace tidemark::routing
