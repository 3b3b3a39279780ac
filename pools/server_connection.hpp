#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "pools/prepared_statements.hpp"
#include "pools/reactor.hpp"
#include "pools/session_settings.hpp"
#include "pools/socket.hpp"
#include "protocol/login_machine.hpp"
#include "protocol/pipeline.hpp"
#include "routing/cluster_view.hpp"

namespace tidemark::pools {

class ServerConnection;

/// Who holds a server connection at the moment, and hears of its events.
class ServerHolder {
 public:
  virtual void on_server_events(ServerConnection& server, IoEvents events) = 0;

 protected:
  ~ServerHolder() = default;
};

/// Hears how a login ends.
class LoginObserver {
 public:
  virtual void on_login_ready(ServerConnection& server) = 0;
  virtual void on_login_failed(ServerConnection& server, const protocol::LoginFailure& failure) = 0;

 protected:
  ~LoginObserver() = default;
};

/// One connection to one node, logged in as one user to one database. Belongs to a pool; while leased, a
/// session reads and writes it. One thread at a time.
class ServerConnection final : public EventHandler {
 public:
  enum class State : std::uint8_t { connecting, login, idle, leased, closed };

  ServerConnection(routing::NodeId node, std::string node_name)
      : node_(node), node_name_(std::move(node_name)) {}
  ~ServerConnection();
  ServerConnection(const ServerConnection&) = delete;
  ServerConnection& operator=(const ServerConnection&) = delete;

  /// Connects and logs in; `observer` hears the end, also when the deadline passes. Never calls it from
  /// within. `tls`: null if the login's ssl_mode is disable.
  void open(Reactor& reactor, const SocketAddress& address, std::unique_ptr<protocol::LoginMachine> login,
            std::shared_ptr<const TlsContext> tls, LoginObserver& observer, Reactor::TimePoint deadline);

  void lease(ServerHolder& holder);
  void make_idle(ServerHolder& pool);
  /// Stops watching; the connection can be given to another thread.
  void detach();
  [[nodiscard]] bool attach(Reactor& reactor, ServerHolder& holder);
  /// Closes at once. Idempotent.
  void close();

  void on_events(IoEvents events) override;

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] routing::NodeId node() const { return node_; }
  [[nodiscard]] const std::string& node_name() const { return node_name_; }
  [[nodiscard]] const SocketAddress& address() const { return address_; }
  /// When it was begun to connect: the server has read its settings later.
  [[nodiscard]] Reactor::TimePoint opened_at() const { return opened_at_; }
  /// When the login ended. A node's observation vouches for this connection only if it was asked for later.
  [[nodiscard]] Reactor::TimePoint established_at() const { return established_at_; }
  [[nodiscard]] Reactor::TimePoint idle_since() const { return idle_since_; }
  [[nodiscard]] const protocol::ParameterList& parameters() const { return parameters_; }
  [[nodiscard]] const std::optional<protocol::CancelKey>& cancel_key() const { return cancel_key_; }
  [[nodiscard]] const std::optional<protocol::ScramKeys>& scram_keys() const { return scram_keys_; }
  /// What the server last said of itself (ParameterStatus in_hot_standby).
  [[nodiscard]] bool in_hot_standby() const { return in_hot_standby_; }
  /// A ParameterStatus came.
  void note_parameter(std::string_view name, std::string_view value);

  // What a holder keeps with the connection.
  Socket socket;
  protocol::Pipeline pipeline;
  PreparedStatements prepared;
  SettingsPointer settings;  ///< applied; null until the first session
  /// Parameters that its login gave other values than those of its peers: part of what each session needs.
  SettingsPointer peculiarities;
  std::uint64_t last_session = 0;  ///< who used it last, by a number that is never 0
  std::string partial;             ///< start of a message whose rest has not come
  bool readable = false;           ///< there may be bytes that were not received yet
  bool ended = false;  ///< the server will send no more: its end of stream is still to be received
  /// CancelRequests under way to this server process; shared with their senders, who may outlive it.
  std::shared_ptr<std::uint32_t> cancels;

 private:
  void on_connected();
  void read_login();
  void start_tls();
  void continue_tls();
  void fail(const protocol::LoginFailure& failure);
  void fail(std::string text);
  void ready();

  Reactor* reactor_ = nullptr;
  ServerHolder* holder_ = nullptr;
  LoginObserver* observer_ = nullptr;
  routing::NodeId node_;
  std::string node_name_;
  SocketAddress address_;
  State state_ = State::closed;
  bool watched_ = false;
  bool in_hot_standby_ = false;
  bool in_tls_handshake_ = false;
  Reactor::TimePoint opened_at_{};
  Reactor::TimePoint established_at_{};
  Reactor::TimePoint idle_since_{};
  std::unique_ptr<protocol::LoginMachine> login_;
  std::shared_ptr<const TlsContext> tls_;  // until the login is done
  std::unique_ptr<Reactor::Timer> deadline_;
  protocol::ParameterList parameters_;
  std::optional<protocol::CancelKey> cancel_key_;
  std::optional<protocol::ScramKeys> scram_keys_;
};

}  // namespace tidemark::pools
