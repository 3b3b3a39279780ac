#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>

#include "routing/cluster_view.hpp"
#include "routing/session_context.hpp"

namespace tidemark::routing {

inline constexpr std::uint64_t kSystem = 7'000'000'000'000'000'001;

/// A moment of the tests' clock, in milliseconds after its zero, which is itself late enough for every age.
inline TimePoint at_ms(std::int64_t ms) {
  return TimePoint{std::chrono::hours(1) + std::chrono::milliseconds(ms)};
}

inline WalPosition wal(std::uint64_t lsn, std::uint32_t timeline = 1) {
  return {kSystem, {timeline}, {lsn}};
}
inline Floor known(std::uint64_t lsn, std::uint32_t timeline = 1) {
  return {Floor::Kind::known, wal(lsn, timeline)};
}
inline Floor pending() {
  return {Floor::Kind::pending, {}};
}

/// Builds views by hand; nodes are numbered in the order of the calls.
class ClusterBuilder {
 public:
  ClusterBuilder() {
    view_.system_identifier = kSystem;
    view_.timeline = {1};
  }

  ClusterBuilder& primary(std::uint64_t lsn) {
    view_.primary = add(NodeRole::primary, lsn).id;
    return *this;
  }
  ClusterBuilder& replica(std::uint64_t lsn, std::int64_t observed_ms = 0) {
    add(NodeRole::replica, lsn).observed_at = at_ms(observed_ms);
    return *this;
  }
  /// Changes the node added last.
  template <typename Change>
  ClusterBuilder& with(const Change& change) {
    change(view_.nodes.back());
    return *this;
  }
  [[nodiscard]] ClusterView build() const { return view_; }

 private:
  NodeState& add(NodeRole role, std::uint64_t lsn) {
    NodeState node;
    node.id = NodeId{static_cast<std::uint16_t>(view_.nodes.size())};
    node.name = "10.0.0." + std::to_string(view_.nodes.size()) + ":5432";
    node.host = "10.0.0." + std::to_string(view_.nodes.size());
    node.port = 5432;
    node.role = role;
    node.fault = NodeFault::none;
    node.system_identifier = kSystem;
    node.timeline = {1};
    node.incarnation = 1;
    node.position = {lsn};
    node.observed_at = at_ms(0);
    view_.nodes.push_back(std::move(node));
    return view_.nodes.back();
  }

  ClusterView view_;
};

}  // namespace tidemark::routing
