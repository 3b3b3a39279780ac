#include <algorithm>

#include "proxy/redis_marks.hpp"
#include "proxy/session_marks.hpp"

namespace tidemark::proxy {

using routing::ConsistencyLevel;

namespace {
/// What other proxies have told of the user has a part in where such a read may go.
bool needs_marks(ConsistencyLevel level) {
  return level != ConsistencyLevel::eventual && level != ConsistencyLevel::bounded_staleness &&
         level != ConsistencyLevel::primary;
}
}  // namespace

/// Where proxies share the marks of users with a key: asks what the others have told, and announces what is
/// about to be done, before any of it is. `node`: where the unit goes; none: that is still to be decided.
/// True when it waits, or the session is over.
bool Session::share_marks(std::optional<routing::NodeId> node) {
  RedisMarks* redis = worker_.redis();
  if (redis == nullptr || users_.empty() || welcoming_ || unit_class_.only_sets) [[likely]]
    return false;
  if (unit_class_.is_read && !node) return ask_for_marks(*redis);
  if (route_.marks_failed) return false;
  SharedUser::Subject subject;
  if (unit_class_.is_read) {
    const auto& state = worker_.view().node(*node);
    subject = {.node = state.name, .id = *node, .server_start = state.server_start};
  }
  route_.marks_ticket = redis->next_ticket();
  for (const std::uint64_t user : users_) {
    if (user == 0) continue;
    // Who writes is behind all that the primary shows meanwhile, too.
    auto held = std::find_if(held_fields_.begin(), held_fields_.end(), [&](const HeldField& field) {
      return field.user == user && (field.subject == subject || field.subject.is_write());
    });
    if (held == held_fields_.end()) held = held_fields_.insert(held, {user, subject, 0});
    switch (redis->announce(user, held->subject, held->number, {serial_, route_.marks_ticket})) {
      case RedisMarks::Announced::there:
        break;
      case RedisMarks::Announced::asked:
        ++route_.marks_awaited;
        break;
      case RedisMarks::Announced::failed:
        route_.marks_failed = true;
        break;
    }
  }
  if (route_.marks_awaited == 0) return false;
  if (mid_sequence_) {
    // The server is answering what went ahead, which was announced for everybody but a user named since.
    route_.marks_awaited = 0;
    return false;
  }
  begin_wait(Wait::marks, worker_.reactor().now() + worker_.shared().config.marks.redis_timeout);
  return true;
}

bool Session::ask_for_marks(RedisMarks& redis) {
  if (route_.user == 0 || route_.marks_asked) return false;
  if (!needs_marks(route_.level) && route_.answer_then.empty()) return false;
  route_.marks_asked = true;
  route_.marks_ticket = redis.next_ticket();
  if (!redis.is_trusted() || !redis.ask(route_.user, {serial_, route_.marks_ticket})) {
    go_without_marks();
    return false;
  }
  ++route_.marks_awaited;
  begin_wait(Wait::marks, worker_.reactor().now() + worker_.shared().config.marks.redis_timeout);
  return true;
}

/// What others have done for the user is not known, nor do they know what is done here: what has been
/// committed anywhere is shown, and what others do meanwhile is the limit (README.md).
void Session::go_without_marks() {
  route_.marks_failed = true;
  route_.marks_awaited = 0;
  if (!unit_class_.is_read || !needs_marks(route_.level)) return;
  route_.level = ConsistencyLevel::strong;
  route_.source = LevelSource::redis_gone;
}

void Session::on_marks(std::uint64_t ticket, bool ok) {
  if (wait_ != Wait::marks || ticket != route_.marks_ticket) return;
  route_.marks_failed = route_.marks_failed || !ok;
  if (--route_.marks_awaited > 0) return;
  if (route_.marks_failed) go_without_marks();
  end_wait();
  resume_unit();
  go_on();
}

/// A command has raised the floor of a user whom others know, or asks for it: true when it is answered later.
/// A write that is announced makes them ask the primary, whose position is beyond every floor.
bool Session::answer_when_shared(std::string_view tag) {
  RedisMarks* redis = worker_.redis();
  if (redis == nullptr || route_.user == 0) return false;
  route_.answer_then = tag;
  const auto asked = worker_.shared().monitor.positions().asked();
  if (tag == "SHOW") {
    if (ask_for_marks(*redis)) return true;
    if (!std::exchange(route_.marks_failed, false)) return false;
    with_marks([&](UserMarks& marks) { marks.unknown_elsewhere(asked, worker_.reactor().now()); });
    return false;
  }
  with_marks([&](UserMarks& marks) {
    if (marks.has_open_replicas()) marks.leave_replicas(asked, worker_.view().timeline, arrived_);
  });
  note_user();
  unit_class_.is_read = unit_class_.only_sets = false;
  return share_marks(std::nullopt);
}

/// Takes up the unit that waited for marks.
void Session::resume_unit() {
  if (route_.answer_then == "SHOW") return show_token();
  if (!route_.answer_then.empty()) return answer_rows(route_.answer_then, {}, {});
  if (server_ != nullptr && hold_while_paused()) return;
  if (server_ != nullptr) return send_unit();
  if ((failed_transaction_ || transaction_lost_) && unit_is_long_) {
    failed_transaction_ = true;
    transaction_lost_ = false;
    return fail_unit(describe(Failure::transaction_lost), 'E');
  }
  if (failed_transaction_ || transaction_lost_) return answer_failed_transaction();
  route();
}

/// The marks have been raised by all that was announced.
void Session::release_fields() {
  for (const HeldField& field : held_fields_) worker_.redis()->release(field.user, field.number);
  held_fields_.clear();
}

}  // namespace tidemark::proxy
