#include "routing/explain.hpp"

#include <chrono>
#include <initializer_list>
#include <string_view>

#include "routing/decide.hpp"
#include "routing/eligibility.hpp"

namespace tidemark::routing {
namespace {

std::string join(std::initializer_list<std::string_view> parts) {
  std::string text;
  for (const std::string_view part : parts) text += part;
  return text;
}

/// "12.3 ms", "4.0 s": one decimal is what an estimate of this kind is worth.
std::string to_text(Duration duration) {
  using std::chrono::microseconds;
  const auto us = std::chrono::duration_cast<microseconds>(duration).count();
  const bool seconds = us >= 1'000'000;
  const auto tenths = us / (seconds ? 100'000 : 100);
  return join({std::to_string(tenths / 10), ".", std::to_string(tenths % 10), seconds ? " s" : " ms"});
}

std::string to_text(const WalPosition& position) {
  return join({to_string(position.lsn), " on timeline ", std::to_string(position.timeline.value)});
}

std::string_view meaning(Reason reason) {
  switch (reason) {
    case Reason::write:
      return "not proven to be a read";
    case Reason::level_primary:
      return "the consistency level sends everything to the primary";
    case Reason::read_refused:
      return "a read that must run on the primary";
    case Reason::of_node:
      return "a read of what each node has of its own: an application expects the primary's";
    case Reason::no_floor:
      return "no position is required, the user's own replica";
    case Reason::pinned:
      return "the replica that answered last";
    case Reason::floor_reached:
      return "a replica that has replayed what is required";
    case Reason::moved:
      return "another replica than last time, which has replayed all that was seen";
    case Reason::within_bound:
      return "a replica that is known to be fresh enough";
    case Reason::position_pending:
      return "the primary's position is not learned yet";
    case Reason::replay_pending:
      return "no replica has replayed what is required yet";
    case Reason::staleness_pending:
      return "no replica is known to be fresh enough yet";
    case Reason::no_primary:
      return "there is no primary";
    case Reason::newer_timeline:
      return "what was seen is on a newer timeline than any primary that is known";
    case Reason::paused:
      return "the operator lets no transaction begin (PAUSE)";
    case Reason::primary_drained:
      return "the operator lets nothing new go to this primary (DRAIN)";
    case Reason::fallback_position:
      return "the required position was not learned in time";
    case Reason::fallback_replay:
      return "no replica replayed what is required in time";
    case Reason::fallback_behind:
      return "every replica is too far behind to replay what is required in time";
    case Reason::fallback_staleness:
      return "no replica was known to be fresh enough in time";
    case Reason::fallback_no_replica:
      return "no replica is eligible";
    case Reason::rejected_no_replica:
      return "no replica may serve it in time, and fallback is \"error\"";
    case Reason::count:
      break;
  }
  return "unknown";
}

std::string_view name_of(const ClusterView& view, NodeId node) {
  return index(node) < view.nodes.size() ? std::string_view(view.node(node).name)
                                         : std::string_view("no node");
}

std::string action(const ClusterView& view, const Decision& decision) {
  switch (decision.kind) {
    case Decision::Kind::send:
      return join({"send to ", name_of(view, decision.node)});
    case Decision::Kind::wait_for_position:
      return "wait for the primary's position";
    case Decision::Kind::wait_for_replay:
      return join({"wait for replay, asking ", name_of(view, decision.node)});
    case Decision::Kind::wait_for_primary:
      if (decision.reason == Reason::paused) return "wait for RESUME";
      return decision.reason == Reason::primary_drained ? "wait for another primary" : "wait for a primary";
    case Decision::Kind::reject:
      return "reject";
  }
  return "unknown";
}

std::string floor_line(std::string_view what, const Floor& floor) {
  switch (floor.kind) {
    case Floor::Kind::none:
      return {};
    case Floor::Kind::pending:
      return join({"requires:  ", what, ", whose position is not learned yet\n"});
    case Floor::Kind::known:
      return join({"requires:  ", what, ": ", to_text(floor.position), "\n"});
  }
  return {};
}

std::string requirements(const ClusterView& view, const SessionContext& session) {
  std::string lines;
  if (requires_own_writes(session.level)) lines += floor_line("its own writes", session.written);
  if (requires_own_writes(session.level) || requires_monotonic(session.level))
    lines += floor_line("what a token says", session.required);
  if (session.level == ConsistencyLevel::strong)
    lines += floor_line("what the primary had when the statement arrived", session.strong);
  if (session.level == ConsistencyLevel::bounded_staleness) {
    lines += join({"requires:  to be at most ", to_text(session.max_staleness.time)});
    if (session.max_staleness.bytes)
      lines += join({" and ", std::to_string(*session.max_staleness.bytes), " bytes"});
    lines += " behind\n";
  }
  if (!requires_monotonic(session.level)) return lines;
  lines += floor_line("what it has seen", session.seen);
  for (const LastReplica& last : session.shown)
    lines += join({"requires:  what ", name_of(view, last.node), " has shown it\n"});
  return lines;
}

bool misses(const ClusterView& view, const NodeState& node, bool required, const Floor& floor) {
  return required && floor.kind == Floor::Kind::known && !contains(view.position(node), floor.position);
}

std::string verdict(const RoutingPolicy& policy, const ClusterView& view, const SessionContext& session,
                    const Decision& decision, const NodeState& node, TimePoint now) {
  if (decision.kind == Decision::Kind::send && decision.node == node.id) {
    return join({"chosen: ", to_string(decision.reason)});
  }
  if (view.primary == node.id) return node.drained ? "the primary, drained" : "the primary, not needed";
  const Exclusion excluded = exclusion(policy, node, now);
  if (excluded != Exclusion::none) return join({"excluded: ", to_string(excluded)});
  if (session.level == ConsistencyLevel::bounded_staleness) {
    if (now - node.fresh_at > session.max_staleness.time) return "eligible, but not known to be fresh enough";
    if (session.max_staleness.bytes && node.lag_bytes.bytes > *session.max_staleness.bytes)
      return "eligible, but too many bytes behind";
  }
  const bool floors = requires_own_writes(session.level) || requires_monotonic(session.level);
  if (misses(view, node, floors, session.required)) return "eligible, but has not replayed what a token says";
  if (misses(view, node, session.level == ConsistencyLevel::strong, session.strong))
    return "eligible, but has not replayed what the primary had";
  if (misses(view, node, requires_own_writes(session.level), session.written)) {
    return "eligible, but has not replayed the session's own writes";
  }
  if (misses(view, node, requires_monotonic(session.level), session.seen)) {
    return "eligible, but has not replayed what the session has seen";
  }
  return "eligible, not chosen";
}

}  // namespace

std::string explain(const RoutingPolicy& policy, const ClusterView& view, const SessionContext& session,
                    const StatementContext& statement, const Classification& classification,
                    std::string_view level, TimePoint now) {
  const Decision decision = decide(policy, view, session, statement, now);
  std::string text = join({"statement: ", to_string(classification.statement)});
  if (!classification.why.empty()) text += join({" (", classification.why, ")"});
  if (classification.leaves_session_state) text += ", leaves state in the session";
  text += join({"\nlevel:     ", level, "\n"});
  if (statement.is_read) text += requirements(view, session);
  text += join({"decision:  ", action(view, decision), "\nreason:    ", to_string(decision.reason), ", ",
                meaning(decision.reason), "\n"});
  for (const NodeState& node : view.nodes) {
    text += join({"node:      ", node.name, " ", to_string(node.role)});
    if (node.role != NodeRole::unknown) text += join({" at ", to_text(view.position(node))});
    if (node.role == NodeRole::replica) {
      text += join(
          {", ", std::to_string(node.lag_bytes.bytes), " bytes and ", to_text(node.lag_time), " behind"});
    }
    text += join({"; ", verdict(policy, view, session, decision, node, now), "\n"});
  }
  return text;
}

}  // namespace tidemark::routing
