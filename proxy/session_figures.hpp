#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "pools/reactor.hpp"
#include "routing/cluster_view.hpp"

namespace tidemark::proxy {

/// What the admin console shows of a session; a copy, as of one moment.
struct SessionFigures {
  enum class State : std::uint8_t {
    idle,
    active,          ///< a statement runs
    in_transaction,  ///< … does not, but a transaction is open
    waiting,
  };
  std::uint64_t serial = 0;
  std::int32_t process_id = 0;  ///< that the client was told
  std::string database;
  std::string user;
  int descriptor = -1;  ///< of its client; to be used on its worker's thread only
  State state = State::idle;
  pools::Reactor::Clock::duration waited{};    ///< since the waiting statement arrived
  bool held = false;                           ///< it waits for a primary, or for the operator
  std::optional<routing::NodeId> awaited;      ///< the node of the pool that it waits for
  std::optional<routing::NodeId> server_node;  ///< of the server connection that it has
  std::int32_t server_process_id = 0;
  bool busy = false;       ///< a statement or a transaction is under way on that connection
  std::uint16_t pins = 0;  ///< why it keeps it (pin_reasons)
};

}  // namespace tidemark::proxy
