#include "tests/consistency/driver_roles.hpp"

namespace tidemark::consistency {

RolePlayer::RolePlayer(Role role, std::uint32_t own_key, const DriverOptions& options, std::uint64_t seed)
    : role_(role), own_key_(own_key), options_(options), random_(seed), written_key_(own_key) {}

Unit RolePlayer::next(bool pipelines) {
  const Choice choice = choose();
  const bool pipelined = pipelines && chance(options_.pipelined);
  return choice.writes ? writing(choice.key, pipelined) : reading(choice.key, pipelined);
}

RolePlayer::Choice RolePlayer::choose() {
  switch (role_) {
    case Role::writer:
      if (reads_due_ > 0) {
        --reads_due_;
        return {false, own_key_};
      }
      reads_due_ = options_.reads_per_write;
      return {true, own_key_};
    case Role::counter_writer:
      return {true, any(options_.counters)};
    case Role::counter_reader:
      return {false, any(options_.counters)};
    case Role::shared: {
      const std::uint32_t key = options_.counters + any(options_.shared_keys);
      return {any(options_.reads_per_write + 1) == 0, key};
    }
    case Role::user:
      if (reads_due_ == 0) {
        reads_due_ = options_.reads_per_write;
        written_key_ = any(2) == 0 ? own_key_ : options_.counters + any(options_.shared_keys);
        return {true, written_key_};
      }
      // What was written is read back first, and then now and again.
      return {false, reads_due_-- == options_.reads_per_write ? written_key_ : some_key()};
  }
  return {};
}

// Any key that somebody advances, or the own one: for reads beside the one that matters most.
std::uint32_t RolePlayer::some_key() {
  switch (any(4)) {
    case 0:
      return any(options_.counters);
    case 1:
      return options_.counters + any(options_.shared_keys);
    case 2:
      return own_key_;
    default:
      return written_key_;
  }
}

Unit RolePlayer::reading(std::uint32_t key, bool pipelined) {
  Unit unit;
  const auto also = [this, key] { return role_ == Role::user ? some_key() : key; };
  if (chance(options_.transactions)) {
    unit.pipelined = pipelined;
    unit.steps = {{StepKind::begin_read_only, 0, ""}, {StepKind::read, key, ""}};
    for (std::uint32_t more = 1 + any(2); more > 0; --more)
      unit.steps.push_back({StepKind::read, also(), ""});
    unit.steps.push_back({StepKind::commit, 0, ""});
  } else {
    unit.pipelined = pipelined;
    unit.steps = {{StepKind::read, key, ""}};
    if (pipelined)
      for (std::uint32_t more = any(3); more > 0; --more) unit.steps.push_back({StepKind::read, also(), ""});
  }
  return unit;
}

Unit RolePlayer::writing(std::uint32_t key, bool pipelined) {
  Unit unit;
  unit.pipelined = pipelined;
  const auto read_before = [&] {
    unit.steps.push_back({StepKind::read, role_ == Role::user ? some_key() : key, ""});
  };
  if (chance(options_.transactions)) {
    unit.steps = {{StepKind::begin, 0, ""}};
    if (chance(options_.reads_among_writes)) read_before();
    unit.steps.push_back({StepKind::write, key, ""});
    unit.steps.push_back({StepKind::commit, 0, ""});
  } else {
    if (pipelined && chance(options_.reads_among_writes)) read_before();
    unit.steps.push_back({StepKind::write, key, ""});
  }
  return unit;
}

std::int64_t RolePlayer::think() {
  const double mean = role_ == Role::counter_writer ? options_.counter_think_ms : options_.think_ms;
  double pause = mean;
  if (options_.think == Think::uniform) pause = std::uniform_real_distribution<double>(0, 2 * mean)(random_);
  if (options_.think == Think::exponential && mean > 0)
    pause = std::exponential_distribution<double>(1 / mean)(random_);
  return static_cast<std::int64_t>(pause * 1e6);
}

}  // namespace tidemark::consistency
