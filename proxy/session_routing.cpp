#include <algorithm>
#include <utility>

#include "proxy/session.hpp"
#include "proxy/session_limits.hpp"

namespace tidemark::proxy {

using Clock = pools::Reactor::Clock;
using routing::Decision;
using routing::Floor;

routing::SessionContext Session::context() {
  const auto& log = worker_.shared().monitor.positions();
  const auto& view = worker_.view();
  routing::SessionContext context;
  // A greeting needs any node that answers.
  context.level =
      welcoming_ ? routing::ConsistencyLevel::eventual : worker_.shared().config.routing.consistency;
  context.written = written_.floor(log, view);
  context.seen = seen_.floor(log, view);
  context.last_replica = last_replica_;
  context.user_key = user_key_;
  context.arrived = arrived_;
  return context;
}

void Session::route() {
  follow(routing::decide(worker_.shared().config.routing, worker_.view(), context(), statement(),
                         worker_.reactor().now()));
}

void Session::follow(const Decision& decision) {
  auto& monitor = worker_.shared().monitor;
  const auto now = worker_.reactor().now();
  switch (decision.kind) {
    case Decision::Kind::send:
      return lease_from(decision);
    case Decision::Kind::wait_for_position:
      if (written_.kind() != Floor::Kind::pending && seen_.kind() != Floor::Kind::pending) {
        // What the last replica showed cannot be asked of it any more: the primary's position now bounds it.
        seen_.raise(monitor.positions().asked());
        last_replica_.reset();
      }
      begin_wait(Wait::position, decision.deadline);
      return monitor.want_primary_position(true);
    case Decision::Kind::wait_for_replay:
      begin_wait(Wait::replay, decision.deadline);
      return monitor.want_observation(decision.node);
    case Decision::Kind::wait_for_primary: {
      const auto deadline = arrived_ + (welcoming_ ? worker_.shared().config.pool.queue_timeout
                                                   : worker_.shared().config.cluster.failover_hold);
      if (now < deadline) return begin_wait(Wait::primary, deadline);
      if (welcoming_) return fail_session(describe(Failure::no_node));
      return fail_unit(describe(Failure::no_primary), status_);
    }
    case Decision::Kind::reject:
      return fail_unit(describe(Failure::no_eligible_replica), status_);
  }
}

/// Rule 11: a replica may have shown a commit that the primary does not show yet. A read that comes from a
/// replica waits for the transactions that may be in that state. True when it waits.
bool Session::wait_for_visibility(const Decision& decision) {
  const auto level = worker_.shared().config.routing.consistency;
  if (settled_ || !unit_is_read_ || welcoming_ || !last_replica_ || !routing::requires_monotonic(level) ||
      worker_.view().primary != decision.node) {
    return false;
  }
  auto& monitor = worker_.shared().monitor;
  visibility_ticket_ = monitor.visibility().asked();
  begin_wait(Wait::visibility, worker_.reactor().now() + kVisibilityWait);
  monitor.want_visibility();
  return true;
}

void Session::lease_from(const Decision& decision) {
  if (wait_for_visibility(decision)) return;
  pools::Pool& pool = *group_->pools[routing::index(decision.node)];
  if (auto* server = pool.take_idle(*this, decision.vouched_until, settings_)) {
    reason_ = decision.reason;
    return start_on(*server);
  }
  if (pool.has_idle()) {
    // Connections are there, but younger than what is known of the node: a new observation vouches for them.
    if (worker_.reactor().now() < decision.deadline) {
      begin_wait(Wait::replay, decision.deadline);
      return worker_.shared().monitor.want_observation(decision.node);
    }
    primary_only_ = unvouched_ = true;
    return route();
  }
  pending_ = decision;
  begin_wait(Wait::server, arrived_ + worker_.shared().config.pool.queue_timeout);
  if (!closing_) pool.wait(*this);
}

void Session::on_server_ready(pools::ServerConnection& server) {
  end_wait();
  const auto& view = worker_.view();
  const bool for_primary = !statement().is_read || pending_.vouched_until == routing::TimePoint::max();
  const bool still_right = view.node(server.node()).fault == routing::NodeFault::none &&
                           (unit_is_read_ || view.primary == server.node());
  const bool vouched = for_primary || server.established_at() <= pending_.vouched_until;
  if (still_right && vouched) {
    reason_ = pending_.reason;
    start_on(server);
  } else {
    group_->pools[routing::index(server.node())]->give_back(server);
    if (still_right && worker_.reactor().now() < pending_.deadline) {
      begin_wait(Wait::replay, pending_.deadline);
      worker_.shared().monitor.want_observation(server.node());
    } else {
      if (still_right) primary_only_ = unvouched_ = true;
      route();
      go_on();
    }
  }
}

void Session::on_server_unavailable(const protocol::LoginFailure& failure) {
  end_wait();
  worker_.shared().monitor.suspect(pending_.node);
  if (!is_passing(failure)) {
    if (welcoming_) return fail_session(describe(failure));
    fail_unit(describe(failure), status_);
    process_input();
    return resume_reading();
  }
  const auto now = worker_.reactor().now();
  const auto patience =
      welcoming_ ? worker_.shared().config.pool.queue_timeout : worker_.shared().config.cluster.failover_hold;
  if (now >= arrived_ + patience) {
    if (welcoming_) return fail_session(describe(Failure::no_node));
    fail_unit(describe(Failure::no_primary), status_);
    process_input();
    return resume_reading();
  }
  // Once more where the view says; a replica that refuses twice is left to others.
  if (unit_is_read_ && !welcoming_ && ++attempts_ > 1) primary_only_ = unvouched_ = true;
  begin_wait(Wait::retry, now + kRetryInterval);
}

void Session::start_on(pools::ServerConnection& server) {
  const auto& view = worker_.view();
  server_ = &server;
  sent_to_primary_ = view.primary == server.node();
  sent_incarnation_ = view.node(server.node()).incarnation;
  sent_at_ = worker_.reactor().now();
  unnamed_on_server_ = false;
  worker_.counters().clients_active.add();
  if (!server.settings) server.settings = worker_.settings().none();
  if (!welcoming_) {
    if (unvouched_) reason_ = routing::Reason::fallback_replay;
    worker_.counters().routed_to(server.node(), unit_is_read_, reason_).add();
    return send_unit();
  }
  if (server.settings == settings_) return learn_welcome();
  pools::Gather out(server.socket, worker_.own_bytes());
  apply_settings(out);
  if (server.pipeline.empty()) return learn_welcome();
  unit_in_flight_ = true;
  if (!out.send()) server.readable = true;
  if (server.readable) read_server();
}

void Session::begin_wait(Wait what, pools::Reactor::TimePoint deadline) {
  if (client_gone_ && !welcoming_) return close();
  wait_ = what;
  wait_began_ = Clock::now();
  wait_place_ = worker_.add_waiting(*this);
  timer_.expires_at(deadline);
  worker_.counters().clients_waiting.add();
  if (what == Wait::primary) worker_.counters().held_statements.add();
}

void Session::end_wait() {
  if (wait_ == Wait::none) return;
  auto& counters = worker_.counters();
  const auto waited = Clock::now() - wait_began_;
  if (wait_ == Wait::server) counters.pool_wait.observe(waited);
  if (wait_ == Wait::position || wait_ == Wait::replay || wait_ == Wait::visibility)
    counters.position_wait.observe(waited);
  if (wait_ == Wait::primary) counters.held_statements.subtract();
  counters.clients_waiting.subtract();
  wait_ = Wait::none;
  timer_.cancel();
  worker_.remove_waiting(*wait_place_);
  wait_place_.reset();
}

void Session::on_published(bool topology) {
  switch (wait_) {
    case Wait::position:
    case Wait::replay:
    case Wait::primary:
      break;
    case Wait::visibility:
      if (!worker_.shared().monitor.visibility().settled_after(visibility_ticket_)) return;
      settled_ = true;
      break;
    case Wait::server: {
      // Waiting for a node that is no longer the right one would be waiting for nothing.
      const auto& view = worker_.view();
      const bool still_right = view.node(pending_.node).fault == routing::NodeFault::none &&
                               (unit_is_read_ || view.primary == pending_.node);
      if (!topology || still_right) return;
      leave();
      break;
    }
    case Wait::none:
    case Wait::retry:
      return;
  }
  end_wait();
  route();
  go_on();
}

void Session::on_deadline() {
  const Wait waited_for = wait_;
  if (waited_for == Wait::visibility) settled_ = true;
  end_wait();
  leave();
  if (waited_for == Wait::primary || waited_for == Wait::server) {
    if (welcoming_) return fail_session(describe(Failure::no_node));
    const auto& pool = worker_.shared().config.pool;
    const std::string limit = "pool.size = " + std::to_string(pool.size) + " (user \"" + group_->user +
                              "\", database \"" + group_->database + "\") or pool.max_server_connections = " +
                              std::to_string(pool.max_server_connections);
    fail_unit(
        waited_for == Wait::primary ? describe(Failure::no_primary) : describe(Failure::queue_timeout, limit),
        status_);
  } else {
    route();
  }
  if (wait_ != Wait::none || closing_) return;
  process_input();
  resume_reading();
}

/// Gives the server back if it is certain to be clean, else closes it.
void Session::release_server() {
  pools::ServerConnection* server = std::exchange(server_, nullptr);
  worker_.counters().clients_active.subtract();
  bool clean = server->pipeline.empty() && server->partial.empty() && !server->socket.blocked() &&
               long_message_left_ == 0 && long_reply_left_ == 0 && !std::exchange(server_doubtful_, false);
  long_reply_left_ = 0;
  if (clean && server->readable) {
    // The last read filled its block to the end: there may be more, which would be too much.
    char byte = 0;
    clean = server->socket.receive(&byte, 1).would_block;
    server->readable = false;
  }
  pools::Pool& pool = *group_->pools[routing::index(server->node())];
  if (clean) {
    pool.give_back(*server);
  } else {
    pool.discard(*server);
  }
}

void Session::drop_server() {
  pools::ServerConnection* server = std::exchange(server_, nullptr);
  worker_.counters().clients_active.subtract();
  server_doubtful_ = false;
  long_reply_left_ = 0;
  group_->pools[routing::index(server->node())]->discard(*server);
}

void Session::fence() {
  on_server_lost();
}

void Session::on_server_lost() {
  const auto node = server_->node();
  worker_.shared().monitor.suspect(node);
  worker_.shared().events.server_failed(server_->node_name(), group_->database, group_->user,
                                        "a server connection was lost while in use");
  const bool in_message = long_reply_left_ > 0 && !long_reply_swallowed_;
  drop_server();
  if (welcoming_) {
    unit_in_flight_ = false;
    if (worker_.reactor().now() >= arrived_ + worker_.shared().config.pool.queue_timeout) {
      return fail_session(describe(Failure::no_node));
    }
    return begin_wait(Wait::retry, worker_.reactor().now() + kRetryInterval);
  }
  if (in_message) return close();  // the client has part of a message: nothing can be said any more
  if (pin_reason_ != nullptr) return fail_session(describe(Failure::session_state_lost, pin_reason_));
  if (!unit_in_flight_ && !mid_sequence_) {
    // Told with the next statement: a client that waits for nothing reads nothing.
    transaction_lost_ = status_ != 'I';
    lost_at_replica_ = !sent_to_primary_;
    return;
  }
  answer_lost_unit();
  if (wait_ == Wait::none && !closing_) {
    process_input();
    resume_reading();
  }
}

void Session::answer_lost_unit() {
  const bool resend = !replied_ && unit_held_ && attempts_ < kMaxAttempts;
  switch (unit_kind_) {
    case UnitKind::read:
      if (draining_refusal_) return retry_unit(Retry::read_refused);
      if (resend && may_restart()) return retry_unit(Retry::server_lost);
      if (held_begin_.empty()) return fail_unit(describe(Failure::result_lost), 'I');
      return fail_unit(describe(Failure::transaction_lost), 'E');
    case UnitKind::begin:
      // Nothing has been done in it yet.
      if (resend) return retry_unit(Retry::not_begun);
      [[fallthrough]];
    case UnitKind::in_transaction:
    case UnitKind::opens:
      // What the client sends before it has seen the error must not run outside its transaction.
      failed_transaction_ = true;
      return fail_unit(describe(Failure::transaction_lost), 'E');
    case UnitKind::rollback:
      if (unit_held_ && status_ != 'I') {
        unit_in_flight_ = false;
        transaction_lost_ = false;
        return answer_failed_transaction();
      }
      return fail_unit(describe(Failure::transaction_lost), 'I');
    case UnitKind::commit:
    case UnitKind::write: {
      // Nothing was written at a replica; everything that was read has been answered.
      if (!sent_to_primary_ && status_ != 'I' && unit_held_ && !replied_) return answer_end("COMMIT");
      if (rolled_back_ && resend && unit_kind_ == UnitKind::write && is_plain_statement())
        return retry_unit(Retry::not_begun);
      written_.raise(worker_.shared().monitor.positions().asked());
      failed_transaction_ = unit_may_open_;
      return fail_unit(describe(Failure::outcome_unknown), unit_may_open_ ? 'E' : 'I');
    }
  }
}

/// Has the unit routed and sent once more; its bytes are still in the buffer.
void Session::retry_unit(Retry reason) {
  worker_.counters().retries[static_cast<std::size_t>(reason)].add();
  undo_changes(true);
  unit_in_flight_ = replied_ = unit_failed_ = draining_refusal_ = false;
  ++attempts_;
  const auto now = worker_.reactor().now();
  begin_wait(Wait::retry, attempts_ > 1 ? now + kRetryInterval : now);
}

}  // namespace tidemark::proxy
