#pragma once

#include <cstdint>
#include <optional>

#include <gtest/gtest.h>

#include "routing/cluster_reducer.hpp"
#include "tests/unit/routing/cluster_builder.hpp"

namespace tidemark::routing {

inline constexpr NodeId kA{0};
inline constexpr NodeId kB{1};
inline constexpr NodeId kC{2};

inline ClusterView three_nodes() {
  ClusterView view;
  for (const char* name : {"a:5432", "b:5432", "c:5432"}) {
    NodeState node;
    node.name = name;
    node.host = "10.0.0.1";
    node.port = 5432;
    view.nodes.push_back(node);
  }
  return view;
}

/// A reducer of three nodes, and what they answer. Times in milliseconds.
class Reducer : public testing::Test {
 protected:
  Reducer() : reducer_(three_nodes()) {}

  struct Answer {
    std::uint32_t timeline = 1;
    std::uint64_t incarnation = 1;
    std::uint64_t system = kSystem;
    std::int64_t answered_after = 1;
    std::optional<TimelineHistory> history{};
    std::optional<Lsn> shutdown_at{};
    std::int64_t server_start = 0;
  };

  void see(NodeId node, bool in_recovery, std::int64_t asked_ms, std::uint64_t lsn, const Answer& answer) {
    reducer_.apply(Observation{node,
                               answer.incarnation,
                               at_ms(asked_ms),
                               at_ms(asked_ms + answer.answered_after),
                               in_recovery,
                               answer.system,
                               answer.server_start,
                               {answer.timeline},
                               {lsn},
                               answer.history,
                               {},
                               false,
                               answer.shutdown_at});
  }
  void writable(NodeId node, std::int64_t ms, std::uint64_t lsn) { see(node, false, ms, lsn, Answer{}); }
  void writable(NodeId node, std::int64_t ms, std::uint64_t lsn, const Answer& answer) {
    see(node, false, ms, lsn, answer);
  }
  void standby(NodeId node, std::int64_t ms, std::uint64_t lsn) { see(node, true, ms, lsn, Answer{}); }
  void standby(NodeId node, std::int64_t ms, std::uint64_t lsn, const Answer& answer) {
    see(node, true, ms, lsn, answer);
  }
  void lose(NodeId node, std::int64_t ms) { reducer_.apply(NodeLost{node, at_ms(ms)}); }

  [[nodiscard]] const ClusterView& view() const { return reducer_.view(); }
  [[nodiscard]] const NodeState& node(NodeId id) const { return view().node(id); }

  ClusterReducer reducer_;
};

}  // namespace tidemark::routing
