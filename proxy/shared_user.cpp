#include "proxy/shared_user.hpp"

#include <algorithm>
#include <tuple>

namespace tidemark::proxy {

namespace {
bool is_higher(const routing::WalPosition& position, const SharedHash::Position& than) {
  return std::tuple(than.timeline, than.lsn) < std::tuple(position.timeline, position.lsn);
}
}  // namespace

SharedUser::Field* SharedUser::find(std::uint64_t number) {
  const auto found = std::find_if(fields_.begin(), fields_.end(),
                                  [&](const Field& field) { return field.number == number; });
  return found == fields_.end() ? nullptr : &*found;
}

std::uint64_t SharedUser::hold(const Subject& subject, std::uint64_t next_number) {
  auto found = std::find_if(fields_.begin(), fields_.end(),
                            [&](const Field& field) { return !field.is_going && field.subject == subject; });
  if (found == fields_.end()) {
    fields_.push_back({.number = next_number, .subject = subject});
    found = std::prev(fields_.end());
  }
  ++found->holders;
  return found->number;
}

void SharedUser::release(std::uint64_t number) {
  if (Field* field = find(number); field != nullptr && field->holders > 0) --field->holders;
}

bool SharedUser::is_there(std::uint64_t number, std::uint64_t life, TimePoint stale) const {
  return std::any_of(fields_.begin(), fields_.end(), [&](const Field& field) {
    return field.number == number && field.life == life && field.acknowledged_at > stale;
  });
}

void SharedUser::sent(std::uint64_t number) {
  if (Field* field = find(number)) ++field->in_flight;
}

void SharedUser::answered(std::uint64_t number, std::uint64_t life, TimePoint sent_at) {
  Field* field = find(number);
  if (field == nullptr) return;
  if (field->in_flight > 0) --field->in_flight;
  if (life == 0) return;
  field->life = life;
  field->acknowledged_at = std::max(field->acknowledged_at, sent_at);
}

void SharedUser::not_published(std::vector<Field> removed) {
  published_ = {};
  for (Field& field : removed) {
    field.is_going = true;
    fields_.push_back(std::move(field));
  }
}

SharedUser::Work SharedUser::work(UserMarks& marks, const pools::PositionLog& log, std::uint64_t life,
                                  TimePoint stale) {
  Work work;
  const auto share = marks.to_share(log);
  if (share.position.timeline.value != 0 && is_higher(share.position, published_) &&
      is_higher(share.position, taken)) {
    published_ = work.position = {share.position.timeline, share.position.lsn};
    work.publish = true;
  }
  for (auto field = fields_.begin(); field != fields_.end();) {
    const bool primary_bounds = field->subject.is_write() || !marks.holds_open(field->subject.id);
    const bool pending =
        primary_bounds && (share.seen_is_pending || (field->subject.is_write() && share.written_is_pending));
    if (field->holders == 0 && field->in_flight == 0 && primary_bounds && !pending) {
      work.remove.push_back(std::move(*field));
      work.publish = true;
      field = fields_.erase(field);
      continue;
    }
    const bool is_open = field->holders > 0 || pending || !primary_bounds;
    if (is_open && field->in_flight == 0 && !(field->life == life && field->acknowledged_at > stale))
      work.announce.push_back(*field);
    // A replica that the user stays at is announced once, and then when it is used.
    work.unfinished = work.unfinished || field->holders > 0 || field->in_flight > 0 || primary_bounds;
    work.needs_position = work.needs_position || (pending && field->holders == 0);
    ++field;
  }
  return work;
}

}  // namespace tidemark::proxy
