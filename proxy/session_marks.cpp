#include "proxy/session_marks.hpp"

#include <utility>
#include <variant>

#include "protocol/error_response.hpp"
#include "proxy/session_limits.hpp"
#include "routing/mutation.hpp"
#include "routing/position_token.hpp"

namespace tidemark::proxy {

using Clock = pools::Reactor::Clock;
using routing::mutated;
using routing::Mutation;

routing::SessionContext Session::context() {
  const auto& log = worker_.shared().monitor.positions();
  routing::SessionContext context;
  // A greeting, or a SET, needs any node that answers.
  const bool anywhere = welcoming_ || unit_class_.only_sets;
  context.level = anywhere ? routing::ConsistencyLevel::eventual : route_.level;
  context.max_staleness = route_.max_staleness;
  context.user_key = route_.user != 0 ? route_.user : user_key_;
  context.arrived = arrived_;
  if (anywhere) return context;
  with_marks([&](UserMarks& marks) {
    marks.describe(context, log);
    route_.accounted = marks.answers();
  });
  if (route_.level == routing::ConsistencyLevel::strong && unit_class_.is_read) {
    if (mutated(Mutation::strong_without_asking)) return context;
    if (!std::exchange(route_.strong_asked, true)) route_.strong.raise(log.asked(), {}, arrived_);
    context.strong = route_.strong.floor(log);
  }
  return context;
}

/// Before anything of an answer leaves: raises the marks by what the answer shows, or did. A user whom a key
/// names may be reading over another connection already: for them every part of an answer counts as it
/// leaves. routing/README.md, rules 1, 2, 5 and 7.
void Session::note_progress() {
  if (welcoming_ || draining_refusal_ || unit_class_.only_sets) return;
  const bool ended = server_->pipeline.empty() && status_ == 'I' && !mid_sequence_;
  if (!ended && users_.empty()) return;
  auto& monitor = worker_.shared().monitor;
  if (!sent_to_primary_) {
    const routing::LastReplica replica{.node = server_->node(),
                                       .incarnation = sent_incarnation_,
                                       .at = Clock::now(),
                                       .sent_at = sent_at_,
                                       .asked = monitor.positions().asked()};
    return with_all_marks(
        [&](UserMarks& marks) { marks.saw_replica(replica, route_.accounted, sent_timeline_); });
  }
  auto asked = monitor.positions().asked();
  if (mutated(Mutation::asked_before_the_reply) && asked > 0) --asked;
  const bool writes = !unit_class_.is_read && unit_class_.executes;
  const auto bound =
      writes && ended && was_flushed() ? pools::PositionBound::flushed : pools::PositionBound::inserted;
  const auto now = worker_.reactor().now();
  const auto connected = server_->established_at();
  with_all_marks([&](UserMarks& marks) {
    if (writes || !mutated(Mutation::primary_reads_unseen))
      marks.saw_primary(asked, sent_timeline_, now, bound, connected);
    if (route_.settled) marks.replicas_are_settled(route_.settled_answers);
    if (writes) marks.wrote(asked, sent_timeline_, now, bound, connected);
  });
  if (writes && ended) monitor.want_primary_position(false);
}

/// The transaction that has just ended was committed, and its commit record flushed before that was told. So
/// the flushed position bounds what it did, and what it saw, too: its commit record comes behind those of all
/// that its snapshots showed. True only where that is known (routing/README.md, rule 1).
bool Session::was_flushed() const {
  if (mutated(Mutation::flush_assumed)) return true;
  if (!commit_watch_.is_flushed() || unit_failed_ || tracker_.pinned()) return false;
  const bool committed =
      unit_class_.kind == UnitKind::commit && commit_watch_.one_completed() && !rolled_back_by_tag_;
  if (!committed && unit_class_.kind != UnitKind::write) return false;
  const auto* catalog = group_->catalog;
  if (catalog == nullptr || !catalog->changes_are_flushed || catalog->outdated) return false;
  if (settings_->find("synchronous_commit") != nullptr) return false;
  return worker_.shared().monitor.positions().are_commits_flushed(server_->opened_at(), sent_at_);
}

/// What was in flight may have been done: the client is told so, and reads what came of it.
void Session::note_unknown_outcome() {
  const auto asked = worker_.shared().monitor.positions().asked();
  with_all_marks([&](UserMarks& marks) { marks.may_have_acted(asked, Clock::now()); });
}

/// After a change of the primary's timeline: what the user has written or seen may be gone (rule 9). True
/// when the client has been told instead of being served, or when a replica has to be asked first.
bool Session::tell_of_loss() {
  if (welcoming_ || unit_class_.only_sets || (status_ != 'I' && held_begin_.empty())) return false;
  auto& monitor = worker_.shared().monitor;
  const auto now = worker_.reactor().now();
  const bool patient = now < arrived_ + kVisibilityWait;
  const auto judgement = with_marks([&](UserMarks& marks) {
    return marks.judge(worker_.view(), monitor.positions(), routing::requires_monotonic(route_.level),
                       patient, now, worker_.shared().config.lossless_failover);
  });
  switch (judgement.kind) {
    case UserMarks::Judgement::Kind::kept:
      return false;
    case UserMarks::Judgement::Kind::unclear:
      begin_wait(Wait::judgement, arrived_ + kVisibilityWait);
      if (!closing_) monitor.want_observation(judgement.ask);
      return true;
    case UserMarks::Judgement::Kind::lost:
      break;
  }
  if (mutated(Mutation::loss_untold)) return false;
  worker_.counters().lost_writes.add();
  worker_.shared().events.write_lost(group_->database, group_->user, judgement.loss);
  const ClientError error = describe(judgement.loss);
  switch (worker_.shared().config.on_lost_write) {
    case config::OnLostWrite::error:
      fail_unit(error, status_);
      return true;
    case config::OnLostWrite::warn: {
      std::string out;
      protocol::append_notice_response(out, {.severity = "WARNING",
                                             .code = error.code,
                                             .message = error.message,
                                             .detail = error.detail,
                                             .hint = error.hint});
      send_to_client(out);
      return closing_;
    }
    case config::OnLostWrite::ignore:
      break;
  }
  return false;
}

/// The connection speaks for another user than before (0: for itself). What it has done for itself goes with
/// it; what it has done for somebody else does not.
void Session::change_user(std::uint64_t before) {
  const std::uint64_t after = tidemark_->now().user_key;
  if (before == after) return;
  route_.user = after;
  if (after == 0 || marks_.empty()) return;
  const auto& log = worker_.shared().monitor.positions();
  with_marks([&](UserMarks& marks) { marks.add(marks_, log, log.asked(), Clock::now()); });
}

/// Answers SHOW tidemark.token, as soon as one position bounds all that the user has written or seen.
void Session::show_token() {
  auto& monitor = worker_.shared().monitor;
  const auto& log = monitor.positions();
  if (answer_when_shared("SHOW") || tell_of_loss()) return;
  const auto position = with_marks([&](UserMarks& marks) {
    auto bound = marks.bound(log);
    // Asked once: what is pending already will be answered.
    if (!bound && marks.has_open_replicas())
      marks.leave_replicas(log.asked(), worker_.view().timeline, arrived_);
    return bound;
  });
  if (!position) {
    begin_wait(Wait::token, arrived_ + worker_.shared().config.cluster.failover_hold);
    if (!closing_) monitor.want_primary_position(true);
    return;
  }
  routing::WalPosition whole = *position;
  if (whole.timeline.value == 0) whole.system_identifier = worker_.view().system_identifier;
  answer_rows("SHOW", "tidemark.token", {routing::print_position_token(whole)});
}

/// Takes the floor that a token stands for; returns why not.
std::optional<ClientError> Session::take_token(std::string_view text) {
  const auto token = routing::parse_position_token(text);
  if (const auto* fault = std::get_if<routing::TokenFault>(&token))
    return describe_bad_token(routing::to_string(*fault));
  return require(std::get<routing::WalPosition>(token));
}

std::optional<ClientError> Session::require(const routing::WalPosition& position) {
  const auto& view = worker_.view();
  if (view.system_identifier == 0) return describe(Failure::no_node);
  if (position.system_identifier != view.system_identifier) return describe(Failure::foreign_token);
  if (routing::requires_nothing(position)) return std::nullopt;
  with_marks([&](UserMarks& marks) { marks.require(position, worker_.reactor().now()); });
  return std::nullopt;
}

}  // namespace tidemark::proxy
