// What a changed topology does to the sessions and pools of a worker.

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "proxy/error_mapping.hpp"
#include "proxy/event_log.hpp"
#include "proxy/session.hpp"
#include "proxy/worker.hpp"

namespace tidemark::proxy {

void Worker::on_topology() {
  topology_ = view_->topology;
  const auto former = std::exchange(primary_, view_->primary);
  for (auto& [key, group] : groups_) grow(*group);
  for (const auto& node : view_->nodes) {
    // A node that is no longer the primary while another one is, and a node that must not be written to, lose
    // all their server connections at once.
    const bool replaced = former == node.id && view_->primary && *view_->primary != node.id;
    const bool fenced = node.fault == routing::NodeFault::older_timeline ||
                        node.fault == routing::NodeFault::other_cluster ||
                        node.fault == routing::NodeFault::duplicate_primary ||
                        node.fault == routing::NodeFault::removed || is_deposed(node);
    // A login that is under way ends after this.
    for (auto& [key, group] : groups_)
      group->pools[routing::index(node.id)]->set_drained(node.drained || fenced);
    const bool demoted = former == node.id && node.role == routing::NodeRole::replica;
    const bool lost = replaced || fenced || demoted;
    if (!lost && node.fault == routing::NodeFault::none) continue;
    for (auto& [key, group] : groups_) group->pools[routing::index(node.id)]->close_idle();
    // A node that hangs may come back: only what can run elsewhere without the client's knowledge leaves it.
    fence_sessions(lost ? fence_reason(node.fault) : std::string_view(), [&](const Session& session) {
      return session.server()->node() == node.id && (lost || session.can_be_sent_again());
    });
  }
  // A former primary that answers nothing any more keeps its connections until there is a new one: until then
  // nobody knows better what became of the statements on them. With the new one they go.
  if (view_->primary) {
    fence_sessions(fence_reason(routing::NodeFault::none), [&](const Session& session) {
      return session.on_former_primary() && session.server()->node() != *view_->primary;
    });
  }
}

/// While the authority names nobody, it has a switchover under way, most likely: the node that it named
/// before may bring to an end what it has begun, and say what became of it, as it shuts down. When another
/// one is named it is too late for that.
bool Worker::is_deposed(const routing::NodeState& node) const {
  return node.fault == routing::NodeFault::not_named && view_->authority && view_->authority->named;
}

void Worker::fence_sessions(std::string_view why, const std::function<bool(const Session&)>& which) {
  std::vector<Session*> fenced;
  std::map<std::string, std::size_t, std::less<>> counts;
  for (auto& [serial, session] : sessions_) {
    if (session->server() == nullptr || !which(*session)) continue;
    fenced.push_back(session.get());
    ++counts[session->server()->node_name()];
  }
  if (!why.empty()) {
    for (const auto& [node, count] : counts) EventLog::sessions_fenced(node, count, why);
  }
  for (Session* session : fenced) {
    if (session->server() != nullptr) session->fence(why);
  }
}

}  // namespace tidemark::proxy
