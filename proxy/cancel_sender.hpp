#pragma once

#include <memory>
#include <string>

#include "pools/reactor.hpp"
#include "pools/server_connection.hpp"
#include "pools/socket.hpp"

namespace tidemark::proxy {

class Worker;

/// Sends one CancelRequest to a server on a connection of its own and waits until the server closes it, which
/// it does when the signal has been sent. While it is under way the server connection serves nobody else: the
/// cancel must never hit a later statement. Owns itself; ends by itself within a deadline.
class CancelSender final : public pools::EventHandler {
 public:
  static void start(Worker& worker, pools::ServerConnection& server);
  ~CancelSender();
  CancelSender(const CancelSender&) = delete;
  CancelSender& operator=(const CancelSender&) = delete;

  void on_events(pools::IoEvents events) override;

 private:
  CancelSender(Worker& worker, pools::ServerConnection& server);
  void end();

  Worker& worker_;
  pools::Socket socket_;
  std::string request_;
  std::shared_ptr<std::uint32_t> under_way_;
  pools::Reactor::Timer deadline_;
  bool sent_ = false;
  bool ended_ = false;
};

}  // namespace tidemark::proxy
