#pragma once

#include <memory>
#include <optional>
#include <string>

#include "pools/reactor.hpp"
#include "pools/session_settings.hpp"
#include "pools/socket.hpp"
#include "protocol/accept_machine.hpp"
#include "proxy/authenticator.hpp"
#include "proxy/error_mapping.hpp"
#include "proxy/tidemark_settings.hpp"

namespace tidemark::proxy {

class Worker;
struct AdminStart;
struct SessionStart;

/// A new client until it is authenticated: carries out the accept machine, with the TLS handshake and the
/// look-up of the user that it asks for. Ends as a session, as a cancel, or as a closed connection, within
/// the login timeout. A client that goes away while its user is looked up is closed at once.
class Handshake final : public pools::EventHandler {
 public:
  Handshake(Worker& worker, pools::Socket client, bool refused);

  void on_events(pools::IoEvents events) override;
  /// Hands the client over to a session. Only when the worker was told to begin one.
  [[nodiscard]] SessionStart finish();
  /// The client wants the admin console, and finish_for_admin() is what it is handed over by.
  [[nodiscard]] bool is_for_admin() const;
  [[nodiscard]] AdminStart finish_for_admin();
  [[nodiscard]] pools::Socket& socket() { return client_; }
  void shut_down();

 private:
  enum class Phase : unsigned char {
    conversation,
    tls,        ///< the socket's TLS handshake runs
    look_up,    ///< the user is being looked up; nothing is read meanwhile
    cancelling  ///< a cancel is carried out; the client's connection tells it when that is done
  };
  using Progress = protocol::AcceptMachine::Progress;

  /// Takes what has come, for as long as the conversation wants something.
  void read();
  /// True when TLS is established.
  bool continue_tls();
  /// Does what the machine wants, and what it wants then. `answered`: it had stopped for an answer of ours,
  /// and goes on with the bytes that are there already.
  void act(Progress progress, std::string& output, bool answered = false);
  /// What becomes of a client that has said who it is; nothing while the user is looked up.
  std::optional<Progress> on_startup(std::string& output);
  Progress authenticate(std::string& output);
  void on_known();
  void cancel();
  void time_out();
  /// Errors in them are told when the client has logged in, as PostgreSQL tells them.
  void read_settings();
  std::optional<ClientError> take_own_parameter(std::string_view name, std::string_view value);
  void refuse(const ClientError& error, std::string& output);
  void report_failure();
  void end();

  Worker& worker_;
  pools::Socket client_;
  std::shared_ptr<const pools::TlsSetup> tls_;  ///< as of the client's arrival: a reload is for later ones
  protocol::AcceptMachine machine_;
  Phase phase_ = Phase::conversation;
  std::string input_;
  std::optional<LoginAttempt> attempt_;
  pools::SettingsPointer settings_;
  std::optional<ClientError> settings_error_;
  std::unique_ptr<TidemarkSettings> tidemark_;
  std::optional<routing::WalPosition> token_;
  pools::Reactor::Timer deadline_;
  bool refused_;              ///< too many clients: told as soon as the client has said what it wants
  bool peer_closed_ = false;  ///< the end of the stream is to be received
  bool spoken_ = false;       ///< the client has sent something
  bool ended_ = false;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace tidemark::proxy
