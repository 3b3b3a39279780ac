#include "tests/consistency/session_guarantees.hpp"

#include <utility>

namespace tidemark::consistency {
namespace {

bool raises(const Operation& operation, const std::optional<Operation>& floor) {
  return !floor || operation.version > floor->version;
}

void require(OpenOperation& open, ViolationKind kind, const Operation& cause) {
  if (open.operation.version >= cause.version) return;
  open.suspected.push_back({kind, open.operation, cause.version, cause, std::nullopt});
}

}  // namespace

void SessionGuarantees::on_start(OpenOperation& open) {
  const Operation& operation = open.operation;
  if (operation.kind == OperationKind::lost_write_told) ++users_[operation.user].being_told;
  if (operation.kind != OperationKind::read) return;
  const auto user = users_.find(operation.user);
  if (user == users_.end()) return;
  const auto found = user->second.floors.find(operation.key);
  if (found == user->second.floors.end()) return;
  const Floor& floor = found->second;
  if (floor.written) {
    open.after_own_write = true;
    open.soon_after_own_write = operation.start - floor.written->end <= soon_;
    open.after_own_write_elsewhere = floor.written->session != operation.session;
    require(open, ViolationKind::stale_read, *floor.written);
  }
  if (floor.seen) {
    open.repeated = true;
    open.of_advancing_key = open.writes_begun > floor.begun_at_seen;
    require(open, ViolationKind::step_back, *floor.seen);
  }
  if (floor.implied) {
    open.with_known_cause = true;
    require(open, ViolationKind::effect_before_cause, *floor.implied);
  }
}

std::optional<Operation> SessionGuarantees::cause_of(const Operation& write) const {
  const auto user = users_.find(write.user);
  if (user == users_.end()) return std::nullopt;
  const std::optional<Operation>& last = user->second.last_read;
  return last && last->key != write.key ? last : std::nullopt;
}

bool SessionGuarantees::excused(const Operation& operation) const {
  const auto user = users_.find(operation.user);
  if (user == users_.end()) return false;
  return user->second.being_told > 0 || user->second.told > operation.start;
}

void SessionGuarantees::on_end(const OpenOperation& ended, const Operation* cause) {
  const Operation& operation = ended.operation;
  User& user = users_[operation.user];
  if (operation.kind == OperationKind::lost_write_told) {
    --user.being_told;
    user.told = operation.end;
    user.floors.clear();
    user.last_read.reset();
    return;
  }
  if (operation.start < user.told) return;
  Floor& floor = user.floors[operation.key];
  if (operation.kind == OperationKind::write) {
    if (raises(operation, floor.written)) floor.written = operation;
    return;
  }
  if (raises(operation, floor.seen)) {
    floor.seen = operation;
    floor.begun_at_seen = ended.writes_begun;
  }
  user.last_read = operation;
  if (cause == nullptr) return;
  Floor& implied = user.floors[cause->key];
  if (raises(*cause, implied.implied)) implied.implied = *cause;
}

}  // namespace tidemark::consistency
