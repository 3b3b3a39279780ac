#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pools/reactor.hpp"
#include "pools/server_connection.hpp"
#include "pools/server_limits.hpp"
#include "proxy/session_figures.hpp"

namespace tidemark::proxy {

/// What one worker tells the admin console of itself; a copy, as of one moment of its thread.
struct WorkerStatus {
  struct Client {
    SessionFigures figures;
    std::string address;  ///< of the client, with its port
  };
  struct Pool {
    pools::PoolKey key;
    std::size_t active = 0, idle = 0, connecting = 0, waiting = 0;
    pools::Reactor::Clock::duration oldest_wait{};
  };
  struct Server {
    pools::PoolKey key;
    pools::ServerConnection::State state{};
    std::int32_t process_id = 0;
    pools::Reactor::Clock::duration age{};  ///< zero until the login is done
    pools::Reactor::Clock::duration idle{};
  };
  unsigned worker = 0;
  std::uint64_t generation = 0;  ///< of the view that it goes by
  /// With Detail::all every session, else those that have a server connection, without addresses.
  std::vector<Client> clients;
  std::vector<Pool> pools;      ///< with Detail::all
  std::vector<Server> servers;  ///< with Detail::all
  std::size_t cleaning = 0;     ///< server connections that clients have left, and that are being cleaned
};

enum class Detail : std::uint8_t { holders, all };

}  // namespace tidemark::proxy
