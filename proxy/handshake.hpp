#pragma once

#include <string>

#include "pools/reactor.hpp"
#include "pools/session_settings.hpp"
#include "pools/socket.hpp"
#include "protocol/accept_machine.hpp"
#include "proxy/error_mapping.hpp"

namespace tidemark::proxy {

class Worker;
struct SessionStart;

/// A new client until it is authenticated: carries out the accept machine. Ends as a session, as a cancel, or
/// as a closed connection, within the login timeout.
class Handshake final : public pools::EventHandler {
 public:
  Handshake(Worker& worker, pools::Socket client, bool refused);

  void on_events(pools::IoEvents events) override;
  /// Hands the client over to a session. Only when the worker was told to begin one.
  [[nodiscard]] SessionStart finish();
  [[nodiscard]] pools::Socket& socket() { return client_; }
  void shut_down();

 private:
  void advance();
  /// False when the client was refused.
  bool read_settings(std::string& output);
  void refuse(const ClientError& error, std::string& output);
  void end();

  Worker& worker_;
  pools::Socket client_;
  protocol::AcceptMachine machine_;
  std::string input_;
  pools::SettingsPointer settings_;
  pools::Reactor::Timer deadline_;
  bool refused_;  ///< too many clients: told as soon as the client has said what it wants
  bool ended_ = false;
};

}  // namespace tidemark::proxy
