#include "proxy/cancel_sender.hpp"
#include "proxy/own_limits.hpp"
#include "proxy/session.hpp"

namespace tidemark::proxy {

LimitSubject Session::limit_subject() const {
  const auto& view = worker_.view();
  const bool known = routing::index(pending_.node) < view.nodes.size();
  return {.user = group_->user,
          .database = group_->database,
          .node = known ? std::string_view(view.node(pending_.node).name) : std::string_view{}};
}

void Session::refuse(const ClientError& error) {
  fail_session(error);
}

/// What the client that waited in vain for a server connection is told, and counted as.
ClientError Session::queue_timeout_error() {
  const pools::Pool& pool = *group_->pools[routing::index(pending_.node)];
  worker_.counters().rejected(limit_of(pool.hold())).add();
  const std::string_view last_failure =
      pool.last_failure() ? std::string_view(pool.last_failure()->text) : std::string_view{};
  return queue_error(pool.hold(), last_failure, worker_.shared().config, limit_subject());
}

IdleWatch::Doing Session::doing() const {
  using Doing = IdleWatch::Doing;
  if (closing_ || welcoming_ || wait_ != Wait::none || client_.blocked()) return Doing::other;
  if (unit_in_flight_) return asking_ || applying_ ? Doing::other : Doing::running;
  if (mid_sequence_ || asking_ || applying_) return Doing::other;
  return status_ == 'I' ? Doing::idle : Doing::idle_in_transaction;
}

void Session::check_timeouts(pools::Reactor::TimePoint now) {
  const auto& config = worker_.shared().config;
  const auto end = [&](Limit limit) {
    worker_.counters().rejected(limit).add();
    fail_session(limit_error(limit, config, limit_subject()));
  };
  switch (idle_watch_.look(doing(), arrived_, now, config.pool)) {
    case IdleWatch::Due::none:
      return;
    case IdleWatch::Due::client_idle:
      return end(Limit::client_idle_timeout);
    case IdleWatch::Due::idle_transaction:
      return end(Limit::idle_transaction_timeout);
    case IdleWatch::Due::query: {
      if (server_ == nullptr) return;
      worker_.counters().rejected(Limit::query_timeout).add();
      if (may_be_noticed()) {
        const auto error = limit_error(Limit::query_timeout, config, limit_subject());
        std::string out;
        protocol::append_notice_response(out, {.severity = "NOTICE",
                                               .code = error.code,
                                               .message = error.message,
                                               .detail = error.detail,
                                               .hint = error.hint});
        send_to_client(out);
        if (closing_) return;
      }
      // The server's own answer (57014) ends the statement, as with a cancel request of the client's.
      return CancelSender::start(worker_, *server_);
    }
  }
}

Session::OwnLimits::OwnLimits(Session& session)
    : timer(session.worker_.reactor(), [&session] { session.check_own_limits(); }) {}

/// The session's settings are others than before: it may have set how long it wants to be idle at most.
void Session::watch_own_limits() {
  if (settings_->values.empty() || closing_) return;
  if (IdleWatch::interval(own_idle_limits(*settings_)).count() == 0) return;
  if (!own_limits_) own_limits_ = std::make_unique<OwnLimits>(*this);
  check_own_limits();
}

/// As the server would end it that had this session to itself.
void Session::check_own_limits() {
  auto limits = own_idle_limits(*settings_);
  // A session that keeps a server is the server's to end.
  if (server_ != nullptr) limits.client_idle_timeout = limits.idle_transaction_timeout = {};
  const auto now = worker_.reactor().now();
  switch (own_limits_->watch.look(doing(), arrived_, now, limits)) {
    case IdleWatch::Due::client_idle:
      return fail_session(describe(Failure::idle_session));
    case IdleWatch::Due::idle_transaction:
      return fail_session(describe(Failure::idle_in_transaction));
    case IdleWatch::Due::none:
    case IdleWatch::Due::query:
      break;
  }
  const auto interval = IdleWatch::interval(own_idle_limits(*settings_));
  if (interval.count() != 0) own_limits_->timer.expires_at(now + interval);
}

/// A transaction is about to begin on a server that the session keeps, which no decision chooses anew. True
/// when it waits, or has failed.
bool Session::hold_while_paused() {
  if (!worker_.view().paused || status_ != 'I' || mid_sequence_) [[likely]]
    return false;
  const auto deadline = arrived_ + worker_.shared().config.cluster.failover_hold;
  if (worker_.reactor().now() < deadline) {
    hold_for_primary(deadline);
  } else {
    fail_unit(describe(Failure::paused), status_);
  }
  return true;
}

/// The view has changed: a unit that hold_while_paused() has held goes on unless the pause does.
void Session::end_pause() {
  if (worker_.view().paused) return;
  end_wait();
  if (!share_marks(server_->node())) send_unit();
  go_on();
}

Failure Session::why_held() const {
  const auto& view = worker_.view();
  if (view.paused) return Failure::paused;
  return view.primary && !view.has_open_primary() ? Failure::primary_drained : Failure::no_primary;
}

SessionFigures Session::figures() const {
  using State = SessionFigures::State;
  SessionFigures figures;
  figures.serial = serial_;
  figures.process_id = cancel_key_.process_id;
  figures.database = group_->database;
  figures.user = group_->user;
  figures.descriptor = client_.descriptor();
  const auto now = worker_.reactor().now();
  const bool runs = unit_in_flight_ || mid_sequence_ || asking_ || applying_ || comparing_ || welcoming_;
  figures.state = wait_ != Wait::none ? State::waiting
                  : runs              ? State::active
                  : status_ != 'I'    ? State::in_transaction
                                      : State::idle;
  if (wait_ != Wait::none) {
    figures.waited = now - arrived_;
    figures.held = wait_ == Wait::primary;
    if (wait_ == Wait::server) figures.awaited = pending_.node;
  }
  if (server_ == nullptr) return figures;
  figures.server_node = server_->node();
  if (server_->cancel_key()) figures.server_process_id = server_->cancel_key()->process_id;
  figures.busy = runs || status_ != 'I';
  figures.pins = tracker_.pins();
  return figures;
}

/// A NoticeResponse may come at any time between messages (manual, "Asynchronous Operations").
bool Session::may_be_noticed() const {
  if (closing_ || client_gone_ || worker_.draining() || long_reply_left_ > 0 || client_.blocked())
    return false;
  // A server would not send it either.
  const std::string* wanted = settings_->find("client_min_messages");
  return wanted == nullptr || (*wanted != "warning" && *wanted != "error");
}

void Session::tell_wait(pools::Reactor::TimePoint last_call, pools::Reactor::TimePoint now,
                        std::size_t before) {
  if ((wait_ != Wait::server && wait_ != Wait::primary) || !may_be_noticed()) return;
  const auto& config = worker_.shared().config;
  const auto waited = now - arrived_;
  if (notices_due(waited, config.pool.queue_notice) <=
      notices_due(last_call - arrived_, config.pool.queue_notice))
    return;
  const auto notice = wait_ == Wait::primary
                          ? primary_notice(waited, why_held(), config)
                          : queue_notice(group_->pools[routing::index(pending_.node)]->hold(),
                                         {.waited = waited, .before = before}, config, limit_subject());
  std::string out;
  protocol::append_notice_response(out, {.severity = "NOTICE",
                                         .code = notice.code,
                                         .message = notice.message,
                                         .detail = notice.detail,
                                         .hint = notice.hint});
  worker_.counters().queue_notices.add();
  send_to_client(out);
}

}  // namespace tidemark::proxy
