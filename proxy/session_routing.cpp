#include <algorithm>
#include <utility>

#include "pools/login_breaker.hpp"
#include "proxy/server_cleaner.hpp"
#include "proxy/session.hpp"
#include "proxy/session_limits.hpp"
#include "proxy/session_marks.hpp"
#include "routing/mutation.hpp"

namespace tidemark::proxy {

using Clock = pools::Reactor::Clock;
using routing::Decision;

void Session::route() {
  if (share_marks(std::nullopt)) return;
  if (tell_of_loss()) return;
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
      ask_for_position();
      return begin_wait(Wait::position, decision.deadline);
    case Decision::Kind::wait_for_replay:
      begin_wait(Wait::replay, decision.deadline);
      if (decision.reason == routing::Reason::staleness_pending) monitor.want_primary_position(true);
      return monitor.want_observation(decision.node);
    case Decision::Kind::wait_for_primary: {
      const auto deadline = arrived_ + (welcoming_ ? worker_.shared().config.pool.queue_timeout
                                                   : worker_.shared().config.cluster.failover_hold);
      if (now < deadline) return hold_for_primary(deadline);
      if (welcoming_) return fail_session(describe(Failure::no_node));
      return fail_unit(describe(why_held()), status_);
    }
    case Decision::Kind::reject:
      return fail_unit(describe(Failure::no_eligible_replica), status_);
  }
}

/// Waits for a primary, unless too many do already.
void Session::hold_for_primary(pools::Reactor::TimePoint deadline) {
  // Who has waited already keeps its place.
  if (!held_place_ && !welcoming_) {
    HeldStatements::Refusal refusal{};
    held_place_ = worker_.shared().held.hold(in_.size(), refusal);
    if (!held_place_) {
      const Limit limit =
          refusal == HeldStatements::Refusal::count ? Limit::held_statements : Limit::held_memory;
      worker_.counters().rejected(limit).add();
      return fail_unit(limit_error(limit, worker_.shared().config, limit_subject()), status_);
    }
  }
  begin_wait(Wait::primary, deadline);
}

/// Has the primary's position bound what the user was shown, where nothing else will.
void Session::ask_for_position() {
  auto& monitor = worker_.shared().monitor;
  with_marks([&](UserMarks& marks) {
    if (route_.strong.kind() == routing::Floor::Kind::pending || marks.is_pending()) return;
    // What a replica showed cannot be asked of it any more: the primary's position now bounds it.
    marks.leave_replicas(monitor.positions().asked(), worker_.view().timeline, worker_.reactor().now());
  });
  monitor.want_primary_position(true);
}

/// Rule 11: a replica may have shown a commit that the primary does not show yet. A read whose user has seen
/// a replica, and one that must miss nothing that anybody has seen, waits for the transactions that may be in
/// that state; so does a transaction that begins on a primary whose commits wait for standbys. True when it
/// waits.
bool Session::wait_for_visibility(const Decision& decision) {
  if (route_.settled || unit_class_.only_sets || welcoming_ || worker_.view().primary != decision.node)
    return false;
  if (!unit_class_.is_read) {
    const bool begins = unit_class_.kind == UnitKind::begin || unit_class_.kind == UnitKind::opens ||
                        unit_class_.kind == UnitKind::commit;
    if (!begins || !worker_.view().node(decision.node).awaits_standbys) return false;
  }
  if (routing::mutated(routing::Mutation::visibility_ignored)) return false;
  bool ahead = route_.level == routing::ConsistencyLevel::strong && worker_.view().nodes.size() > 1;
  if (ahead || routing::requires_monotonic(route_.level)) {
    with_marks([&](UserMarks& marks) {
      ahead = ahead || marks.may_be_ahead_of_primary();
      route_.settled_answers = marks.answers();
    });
  }
  if (!ahead) return false;
  auto& monitor = worker_.shared().monitor;
  route_.visibility_ticket = monitor.visibility().asked();
  begin_wait(Wait::visibility, worker_.reactor().now() + kVisibilityWait);
  monitor.want_visibility();
  return true;
}

/// The primary shows it by now, or a replica may serve the read instead.
bool Session::visibility_wait_is_over() {
  auto& monitor = worker_.shared().monitor;
  const auto& log = monitor.visibility();
  route_.settled = log.settled_after(route_.visibility_ticket) ||
                   (route_.visibility_is_late && !log.may_await_standby(route_.visibility_ticket));
  if (route_.settled) return true;
  monitor.want_visibility();
  const auto decision = routing::decide(worker_.shared().config.routing, worker_.view(), context(),
                                        statement(), worker_.reactor().now());
  if (decision.reason == routing::Reason::fallback_position) ask_for_position();
  return decision.kind == Decision::Kind::send && decision.node != worker_.view().primary;
}

/// After kVisibilityWait a statement that merely runs for long is not waited for any more. A commit that
/// waits for its standby is: the replica that the user has seen may show it, and the primary does not. True
/// when it waits on.
bool Session::wait_on_for_visibility() {
  auto& monitor = worker_.shared().monitor;
  if (!monitor.visibility().may_await_standby(route_.visibility_ticket)) {
    route_.settled = true;
    return false;
  }
  const auto deadline = arrived_ + worker_.shared().config.cluster.failover_hold;
  if (worker_.reactor().now() >= deadline) return false;
  end_wait();
  route_.visibility_is_late = true;
  // That no connection to a replica could be had was a second ago.
  if (std::exchange(unvouched_, false)) primary_only_ = false;
  begin_wait(Wait::visibility, deadline);
  if (!closing_) monitor.want_visibility();
  return true;
}

void Session::lease_from(const Decision& decision) {
  if (wait_for_visibility(decision)) return;
  if (unit_class_.is_read && share_marks(decision.node)) return;
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

/// Whether a server connection that was waited for may still be used: a bound of staleness is a matter of
/// the moment.
bool Session::is_still_good(const pools::ServerConnection& server) {
  if (pending_.reason != routing::Reason::within_bound) return true;
  const auto& config = worker_.shared().config;
  const auto decision =
      routing::decide(config.routing, worker_.view(), context(), statement(), worker_.reactor().now());
  return decision.kind == Decision::Kind::send && decision.node == server.node() &&
         server.established_at() <= decision.vouched_until;
}

void Session::on_server_ready(pools::ServerConnection& server) {
  end_wait();
  const auto& view = worker_.view();
  const bool for_primary = !statement().is_read || pending_.vouched_until == routing::TimePoint::max();
  const bool still_right =
      view.is_open(server.node()) && (unit_class_.is_read || view.primary == server.node());
  const bool vouched = for_primary || server.established_at() <= pending_.vouched_until;
  if (still_right && vouched && !is_still_good(server)) {
    group_->pools[routing::index(server.node())]->give_back(server);
    route();
    go_on();
  } else if (still_right && vouched) {
    reason_ = pending_.reason;
    start_on(server);
    go_on();  // with the rest of a statement that is passed on as it comes
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
  if (!pools::is_passing(failure)) {
    // A replica may not have replayed yet what the primary knows: a new database, user or password.
    const auto& primary = worker_.view().primary;
    if (unit_class_.is_read && !primary_only_ && primary && *primary != pending_.node) {
      primary_only_ = true;
      route();
      return go_on();
    }
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
  if (unit_class_.is_read && !welcoming_ && ++attempts_ > 1) primary_only_ = unvouched_ = true;
  begin_wait(Wait::retry, now + kRetryInterval);
}

void Session::start_on(pools::ServerConnection& server) {
  const auto& view = worker_.view();
  server_ = &server;
  held_place_.reset();
  sent_to_primary_ = view.primary == server.node();
  sent_timeline_ = view.timeline;
  sent_incarnation_ = view.node(server.node()).incarnation;
  sent_at_ = worker_.reactor().now();
  unnamed_on_server_ = false;
  worker_.counters().clients_active.add();
  if (learning_outcome_) [[unlikely]]
    return ask_outcome();
  if (!server.settings) learn_peculiarities(server);
  if (!welcoming_) {
    if (worker_.shared().config.pool.mode == pools::PoolMode::session) {
      pin(kPinnedByMode);
    }
    if (unvouched_) reason_ = routing::Reason::fallback_replay;
    worker_.counters().routed_to(server.node(), unit_class_.is_read, reason_).add();
    note_route();
    if (closing_) return;
    if (server.settings == settings_ || !settings_change_may_fail(*server.settings, *wanted_settings()))
      return send_unit();
    applying_ = true;
  } else if (server.settings == wanted_settings()) {
    return learn_welcome();
  }
  pools::Gather out(server.socket, worker_.own_bytes());
  apply_settings(out);
  if (server.pipeline.empty()) {
    if (welcoming_) return learn_welcome();
    applying_ = false;
    return send_unit();
  }
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
  if (wait_ == Wait::position || wait_ == Wait::replay || wait_ == Wait::visibility ||
      wait_ == Wait::judgement)
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
    case Wait::judgement:
      break;
    case Wait::primary:
      if (server_ != nullptr) return end_pause();
      break;
    case Wait::token:
      end_wait();
      show_token();
      return go_on();
    case Wait::visibility:
      if (!visibility_wait_is_over()) return;
      break;
    case Wait::server: {
      // Waiting for a node that is no longer the right one would be waiting for nothing.
      const auto& view = worker_.view();
      const bool still_right =
          view.is_open(pending_.node) && (unit_class_.is_read || view.primary == pending_.node);
      if (!topology || still_right) return;
      leave();
      break;
    }
    case Wait::none:
    case Wait::marks:
    case Wait::retry:
      return;
  }
  end_wait();
  route();
  go_on();
}

void Session::on_deadline() {
  const Wait waited_for = wait_;
  if (waited_for == Wait::visibility && wait_on_for_visibility()) return;
  end_wait();
  leave();
  if (waited_for == Wait::visibility && !route_.settled) {
    fail_unit(describe(Failure::commit_unacknowledged), status_);
  } else if (waited_for == Wait::primary || waited_for == Wait::server || waited_for == Wait::token) {
    const auto error = waited_for == Wait::server ? queue_timeout_error()
                                                  : describe(welcoming_ ? Failure::no_node : why_held());
    if (welcoming_) return fail_session(error);
    fail_unit(error, status_);
  } else if (waited_for == Wait::marks) {
    go_without_marks();
    resume_unit();
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
               long_message_left_ == 0 && long_reply_left_ == 0;
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
  long_reply_left_ = 0;
  group_->pools[routing::index(server->node())]->discard(*server);
}

/// The client has gone and left something on its server, where nothing of its own is under way.
void Session::clean_server() {
  pools::ServerConnection* server = std::exchange(server_, nullptr);
  worker_.counters().clients_active.subtract();
  ServerCleaner::start(worker_, *group_->pools[routing::index(server->node())], *server, status_);
}

}  // namespace tidemark::proxy
