#pragma once

#include <vector>

#include "tests/consistency/driver_actor.hpp"
#include "tests/consistency/driver_options.hpp"

namespace tidemark::consistency {

// Who takes part in a run: first the sessions of one connection each, then the users.
std::vector<ActorPlan> plan_actors(const DriverOptions& options);

}  // namespace tidemark::consistency
