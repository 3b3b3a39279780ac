#pragma once

#include <cstddef>
#include <string_view>

#include "pools/pool.hpp"
#include "pools/reactor.hpp"

namespace tidemark::proxy {

class Worker;

/// Takes over a server connection whose client has gone and left state in it: ends its transaction, discards
/// what it left, and gives it back to its pool. Closes it if anything goes wrong, or takes too long. Owns
/// itself; nobody waits for it.
class ServerCleaner final : public pools::ServerHolder {
 public:
  /// `server` is leased from `pool`, and nothing of the client's is under way on it; answers to questions of
  /// ours may be.
  static void start(Worker& worker, pools::Pool& pool, pools::ServerConnection& server, char status);
  ~ServerCleaner();
  ServerCleaner(const ServerCleaner&) = delete;
  ServerCleaner& operator=(const ServerCleaner&) = delete;

  void on_server_events(pools::ServerConnection& server, pools::IoEvents events) override;
  /// Closes the connection now.
  void give_up();

 private:
  ServerCleaner(Worker& worker, pools::Pool& pool, pools::ServerConnection& server);
  void begin(char status);
  void read();
  /// Bytes that are done with; the rest is the start of a message. npos: the server may not be used again.
  std::size_t process(std::string_view bytes);
  void finish(bool clean);

  Worker& worker_;
  pools::Pool& pool_;
  pools::ServerConnection* server_;
  char status_ = 'I';
  pools::Reactor::Timer deadline_;
};

}  // namespace tidemark::proxy
