#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "protocol/credential.hpp"
#include "tests/soak/loop.hpp"
#include "tests/soak/operations.hpp"
#include "tests/soak/options.hpp"
#include "tests/soak/random.hpp"
#include "tests/soak/session.hpp"
#include "tests/soak/tally.hpp"
#include "tests/soak/task.hpp"

namespace tidemark::soak {

/// The same for all clients.
struct World {
  Options options;
  Loop loop;
  Tally tally;
  std::vector<Operation> operations;
  unsigned total_weight = 0;
  Clock::time_point end;
  bool stopping = false;
  /// By user: spares the logins after the first the work on the password.
  std::map<std::string, protocol::ScramKeys> keys;
};

/// One client's life: connects, does this and that, leaves in some way, comes back, until the world ends.
class Client {
 public:
  Client(World& world, std::uint32_t number);

  Task<> run();
  /// What it is doing; for the list of those that are stuck.
  [[nodiscard]] const std::string& doing() const { return doing_; }

 private:
  [[nodiscard]] bool over() const { return world_.stopping || Clock::now() >= world_.end; }
  Task<> connect(Session& session);
  Task<> stay(Session& session);
  Task<> visit();
  const Operation& choose();

  World& world_;
  std::uint32_t number_;
  Random random_;
  std::string doing_;
};

}  // namespace tidemark::soak
