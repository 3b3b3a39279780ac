#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "pools/reactor.hpp"
#include "pools/socket.hpp"
#include "protocol/startup_messages.hpp"
#include "proxy/admin_commands.hpp"
#include "proxy/admin_status.hpp"
#include "proxy/admin_tables.hpp"
#include "proxy/error_mapping.hpp"

namespace tidemark::proxy {

class Worker;

/// What a session of the admin console begins with, once its client is authenticated.
struct AdminStart {
  pools::Socket client;
  std::string input;  ///< bytes that came behind the login
  std::string user;
  std::uint64_t serial = 0;
  std::size_t cancel_key_length = protocol::min_cancel_key_length;
};

/// A client of the admin console: reads commands in the simple and the extended protocol, one at a time, and
/// answers them. What it shows of other workers it asks them for; it changes nothing but by the cluster
/// monitor. Lives on one worker's thread.
///   admin_session.cpp  the protocol
///   admin_run.cpp      what commands do
class AdminSession final : public pools::EventHandler {
 public:
  AdminSession(Worker& worker, AdminStart start);
  ~AdminSession();
  AdminSession(const AdminSession&) = delete;
  AdminSession& operator=(const AdminSession&) = delete;

  /// Greets the client, or tells it that it may not be here.
  void begin();
  void on_events(pools::IoEvents events) override;
  /// A CancelRequest with this session's key came: ends a PAUSE or DRAIN that still waits.
  void cancel();
  void shut_down();
  [[nodiscard]] std::uint64_t serial() const { return serial_; }

 private:
  using Then = std::function<void(const std::vector<WorkerStatus>&)>;
  /// A PAUSE or DRAIN, or its opposite, that is not answered yet.
  struct Order {
    AdminCommand command;
    std::optional<routing::NodeId> node;  ///< of DRAIN and UNDRAIN
    bool on = true;
    bool was_on = false;  ///< before: then a failure does not take it back
    bool seen = false;    ///< the view has shown it
    bool told = false;    ///< of sessions that keep a server connection to the node
    pools::Reactor::TimePoint deadline;
  };

  // admin_session.cpp
  void read();
  void process();
  bool take(char type, std::string_view body);
  void describe(std::string_view text, bool statement);
  [[nodiscard]] static ClientError describe_unknown(char kind, std::string_view name);
  void execute(std::string_view text, bool simple);
  void finish(std::string_view tag);
  void finish(AdminCommand::Kind kind, const AdminRows& rows);
  void fail(const ClientError& error);
  void notice(const ClientError& what);
  void fail_session(const ClientError& error);
  void end_of_command();
  void send(std::string_view bytes);
  void close();

  // admin_run.cpp
  void run(const AdminCommand& command);
  void reload();
  void show_config();
  /// Asks every worker and calls `then` with the answers, without those that do not come in time.
  void gather(Detail detail, Then then);
  void on_status(std::uint64_t ticket, WorkerStatus status);
  void begin_order(const AdminCommand& command);
  void give(bool on);
  void look_at_order();
  void judge_order(std::uint64_t generation, const std::vector<WorkerStatus>& workers);
  void end_order(bool failed);
  [[nodiscard]] bool is_in_force() const;
  void tell_of_keepers(const std::vector<WorkerStatus>& workers);
  [[nodiscard]] std::optional<routing::NodeId> find_node(std::string_view name) const;

  Worker& worker_;
  pools::Socket client_;
  std::string input_;
  std::string user_;
  std::uint64_t serial_;
  protocol::CancelKey cancel_key_;
  bool may_order_ = false;  ///< in admin.users
  bool simple_ = true;      ///< the command under way came by Query
  bool busy_ = false;       ///< a command is under way: nothing else is read
  bool skip_to_sync_ = false;
  bool closing_ = false;
  bool processing_ = false;
  std::map<std::string, std::string, std::less<>> statements_;
  std::map<std::string, std::string, std::less<>> portals_;

  std::uint64_t ticket_ = 0;  ///< of the gathering under way
  std::vector<WorkerStatus> gathered_;
  Then then_;
  pools::Reactor::Timer gather_end_;
  std::optional<Order> order_;
  pools::Reactor::Timer look_again_;
  std::shared_ptr<const bool> alive_ = std::make_shared<const bool>(true);
};

}  // namespace tidemark::proxy
