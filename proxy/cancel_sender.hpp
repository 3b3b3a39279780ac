#pragma once

#include <memory>
#include <string>

#include "pools/reactor.hpp"
#include "pools/server_connection.hpp"
#include "pools/socket.hpp"

namespace tidemark::proxy {

class Worker;
using CancelDone = std::shared_ptr<void>;

/// Sends one CancelRequest to a server on a connection of its own and waits until the server closes it, which
/// it does when the signal has been sent. While it is under way the server connection serves nobody else: the
/// cancel must never hit a later statement. It is encrypted if that connection is: the key in it is a secret,
/// too. Owns itself; ends by itself within a deadline.
class CancelSender final : public pools::EventHandler {
 public:
  /// `done` is let go when the server has been told.
  static void start(Worker& worker, pools::ServerConnection& server, CancelDone done = nullptr);
  ~CancelSender();
  CancelSender(const CancelSender&) = delete;
  CancelSender& operator=(const CancelSender&) = delete;

  void on_events(pools::IoEvents events) override;

 private:
  enum class State : std::uint8_t { connecting, ssl_answer, tls_handshake, sent, ended };

  CancelSender(Worker& worker, pools::ServerConnection& server, CancelDone done);
  void on_connected();
  void on_ssl_answer();
  void continue_tls();
  void send_request();
  void wait_for_end();
  void end();

  Worker& worker_;
  std::shared_ptr<const pools::TlsSetup> tls_;  // null: not to be encrypted
  std::string host_name_;
  pools::Socket socket_;
  std::string request_;
  std::shared_ptr<std::uint32_t> under_way_;
  pools::Reactor::Timer deadline_;
  CancelDone done_;
  State state_ = State::connecting;
};

}  // namespace tidemark::proxy
