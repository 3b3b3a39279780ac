#include "tests/consistency/driver_plan.hpp"

#include <cmath>
#include <cstdint>
#include <string>
#include <utility>

#include "tests/consistency/driver_identity.hpp"

namespace tidemark::consistency {

std::vector<ActorPlan> plan_actors(const DriverOptions& options) {
  std::vector<ActorPlan> plans;
  std::uint32_t sessions = 0;
  const auto connect = [&](const std::string& conninfo, const std::string& user, std::uint32_t turn) {
    const Protocol protocol = options.protocol == Protocol::mixed ? Protocol(turn % 4) : options.protocol;
    return ConnectionPlan{sessions++, protocol, conninfo, introduce(options, user, turn)};
  };
  const auto add = [&](Role role, std::uint32_t count) {
    for (std::uint32_t i = 0; i < count; ++i) {
      ActorPlan plan{static_cast<std::uint32_t>(plans.size()), role, Bond::connection, 0, 1, {}};
      plan.own_key = options.counters + options.shared_keys + i;
      plan.connections.push_back(connect(options.conninfo, "", i));
      plans.push_back(std::move(plan));
    }
  };
  add(Role::writer, options.writers);
  add(Role::counter_writer, options.counter_writers);
  add(Role::counter_reader, options.counter_readers);
  add(Role::shared, options.shared);
  // The first so many of `count`, for a share of them.
  const auto share = [&](double part) {
    return static_cast<std::uint32_t>(std::lround(part * options.users));
  };
  for (std::uint32_t i = 0; i < options.users; ++i) {
    ActorPlan plan{static_cast<std::uint32_t>(plans.size()), Role::user, Bond::key, 0, 1, {}};
    const bool by_token = i < share(options.tokens);
    if (by_token) plan.bond = Bond::token;
    // From the other end, since who carries a token does one thing after the other.
    if (!by_token && options.users - i <= share(options.concurrent)) plan.lanes = 2;
    plan.own_key = options.first_user_key() + i % options.user_keys();
    std::string user;
    if (!by_token) user.append("u").append(std::to_string(i));
    for (std::uint32_t j = 0; j < options.connections_per_user; ++j)
      plan.connections.push_back(connect(j % 2 == 0 ? options.conninfo : options.second, user, i + j));
    plans.push_back(std::move(plan));
  }
  return plans;
}

}  // namespace tidemark::consistency
