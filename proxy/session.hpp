#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "pools/gather.hpp"
#include "pools/pool.hpp"
#include "pools/read_buffer.hpp"
#include "protocol/error_response.hpp"
#include "protocol/frontend_messages.hpp"
#include "protocol/unit.hpp"
#include "proxy/error_mapping.hpp"
#include "proxy/session_mark.hpp"
#include "proxy/statement_cache.hpp"
#include "proxy/worker.hpp"
#include "routing/decide.hpp"

namespace tidemark::proxy {

/// What a new session begins with, once its client is authenticated.
struct SessionStart {
  pools::Socket client;
  std::string input;  ///< bytes that came behind the login
  PoolGroup* group = nullptr;
  pools::SettingsPointer settings;
  std::uint64_t serial = 0;
};

/// One client from its login to its end. It takes units from the client, has each routed (decide), sends it
/// to a server connection that it leases for as long as it must, and relays the answer. Thin: what bytes mean
/// is protocol's, which node is routing's, which connection is pools'. README.md tells the life of a query,
/// and which file holds which part:
///   session.cpp          life, input from the client, waiting
///   session_units.cpp    what the next unit is
///   session_local.cpp    what is answered without a server, failed transactions
///   session_send.cpp     sending a unit, prepared statements
///   session_routing.cpp  decide, leases, waits, what a lost server means
///   session_replies.cpp  bytes from the server, marks, the end of a unit
class Session final : public pools::EventHandler, public pools::ServerHolder, public pools::Waiter {
 public:
  Session(Worker& worker, SessionStart start);
  ~Session() override;

  /// Greets the client, or waits for a server that tells what to greet it with.
  void begin();
  /// The view or a position changed; called only while waiting. `topology`: roles or faults changed, too.
  void on_published(bool topology);
  /// A CancelRequest with this session's key came.
  void cancel();
  /// The worker drains: ends the session now if it holds no transaction, else later (`force`: now).
  void shut_down(bool force);
  /// The node is no longer what this session's server connection was taken for: closes it.
  void fence();

  [[nodiscard]] bool is_waiting() const { return wait_ != Wait::none; }
  [[nodiscard]] pools::ServerConnection* server() const { return server_; }
  [[nodiscard]] const PoolGroup* group() const { return group_; }
  /// Its server connection was taken as one to the primary.
  [[nodiscard]] bool on_former_primary() const { return server_ != nullptr && sent_to_primary_; }
  /// What it runs is a read of whose answer the client has had nothing.
  [[nodiscard]] bool can_be_sent_again() const {
    return unit_in_flight_ && unit_kind_ == UnitKind::read && unit_held_ && !replied_ && may_restart() &&
           !mid_sequence_;
  }
  [[nodiscard]] std::uint64_t serial() const { return serial_; }
  [[nodiscard]] std::int32_t process_id() const { return cancel_key_.process_id; }

  // Events.
  void on_events(pools::IoEvents events) override;
  void on_server_events(pools::ServerConnection& server, pools::IoEvents events) override;
  void on_server_ready(pools::ServerConnection& server) override;
  void on_server_unavailable(const protocol::LoginFailure& failure) override;
  pools::ServerHolder& holder() override { return *this; }

 private:
  /// What the session waits for, if it does.
  enum class Wait : std::uint8_t { none, position, replay, visibility, primary, server, retry };
  /// What may become of a unit whose server is lost.
  enum class UnitKind : std::uint8_t { read, begin, opens, write, commit, rollback, in_transaction };

  /// What a message of the unit changes in the names of prepared statements, until the server has confirmed
  /// it.
  struct NameChange {
    std::string name;                  ///< the client's; empty: a Parse or Close of our own, or undone
    pools::StatementId id = 0;         ///< of a Parse, or of a Close of our own
    StatementCache::Reference closed;  ///< of a Close: what the name stood for
    bool confirmed = false;            ///< only sending the unit again takes it back
  };
  /// Pipeline tag of a Parse of the unnamed statement; other tags are places in changes_, from 1.
  static constexpr std::uint32_t kUnnamedTag = UINT32_MAX;

  // session.cpp
  void read_client();
  void process_input();
  bool take_next_unit();
  [[nodiscard]] bool begins_long_unit(const protocol::FrontendMessage& head) const;
  void skip_to_sync();
  void forward_copy_in();
  void forward_long_message();
  void resume_reading();
  void go_on();
  void close();
  void send_to_client(std::string_view bytes);
  void fail_unit(const ClientError& error, char ready_status);
  void fail_session(const ClientError& error);
  void clear_unit();
  void undo_changes(bool confirmed_too);
  void greet(const protocol::ParameterList& parameters);
  void learn_welcome();
  void protocol_error(std::string_view what);
  [[nodiscard]] bool unit_is_open() const;
  [[nodiscard]] bool is_passing_on() const;
  [[nodiscard]] bool client_has_died() const;

  // session_units.cpp
  void begin_unit();
  void begin_long_unit();
  void pass_sync_of_failed_sequence();
  bool classify_unit();
  void add_class(const routing::Classification& classification);
  PreparedText* find_prepared(std::string_view name);
  const routing::Classification& classification_of(PreparedText& text);
  [[nodiscard]] bool is_plain_statement();

  // session_local.cpp
  bool answer_locally();
  bool forget_statements(std::string_view sql, std::string& tag);
  bool hold_begin();
  std::optional<std::string_view> sole_statement();
  void answer_alone(std::string_view tag);
  void answer_failed_transaction();
  void answer_failed_sequence(bool lost, std::string_view tag);
  void answer_end(std::string_view tag);

  // session_send.cpp
  void send_unit();
  void push_message(const protocol::FrontendMessage& message, std::string_view bytes, pools::Gather& out);
  void push_parse(const protocol::ParseView& parse, std::string_view whole, pools::Gather& out);
  void push_bind(std::string_view whole, pools::Gather& out);
  void push_target(char type, std::string_view whole, pools::Gather& out);
  void push_long_head(pools::Gather& out);
  /// The name under which a server knows the client's `name`; makes sure that it does.
  std::string server_name(std::string_view name, pools::Gather& out);
  void ensure_unnamed(pools::Gather& out);
  void ensure_prepared(PreparedText& text, pools::Gather& out);
  /// Appends to `out.own()`; the caller adds it.
  void push_eviction(pools::StatementId id, pools::Gather& out);
  void apply_settings(pools::Gather& out);

  // session_routing.cpp
  void route();
  void follow(const routing::Decision& decision);
  void lease_from(const routing::Decision& decision);
  bool wait_for_visibility(const routing::Decision& decision);
  void start_on(pools::ServerConnection& server);
  void begin_wait(Wait what, pools::Reactor::TimePoint deadline);
  void end_wait();
  void on_deadline();
  void release_server();
  void drop_server();
  void on_server_lost();
  void retry_unit(Retry reason);
  void answer_lost_unit();
  [[nodiscard]] routing::SessionContext context();
  [[nodiscard]] routing::StatementContext statement() const {
    return {.is_read = unit_is_read_, .primary_only = primary_only_};
  }

  // session_replies.cpp
  void read_server();
  std::size_t process_replies(std::string_view bytes, pools::Gather& out);
  bool on_reply(char type, std::string_view body, bool whole, protocol::Pipeline::Verdict& verdict);
  enum class ErrorFate : std::uint8_t { forward, retry, lost };
  ErrorFate judge_error(std::string_view body);
  void remember_refusal();
  [[nodiscard]] bool announces_end(std::string_view body) const;
  /// Nothing of a transaction has been done: the unit at hand can run elsewhere.
  [[nodiscard]] bool may_restart() const { return status_ == 'I' || !held_begin_.empty(); }
  void on_discarded(std::string_view tag);
  void on_completed(const protocol::Pipeline::Entry& entry);
  void undo(const protocol::Pipeline::Entry& entry);
  void on_parameter_status(std::string_view body);
  void inject(pools::Gather& out);
  void note_progress();
  void finish_unit();
  void on_confused_server();

  Worker& worker_;
  pools::Socket client_;
  pools::ReadBuffer in_;
  PoolGroup* group_;
  pools::SettingsPointer settings_;
  std::uint64_t serial_;
  std::uint64_t user_key_;
  protocol::CancelKey cancel_key_;
  pools::ServerConnection* server_ = nullptr;

  // The unit at hand.
  protocol::Unit unit_;
  UnitKind unit_kind_ = UnitKind::write;
  bool unit_is_read_ = false;
  bool unit_pins_ = false;              ///< leaves state in its session
  bool unit_in_flight_ = false;         ///< sent (in part) and not answered in full
  bool unit_held_ = false;              ///< its bytes are still in in_, so that it can be sent again
  bool unit_is_long_ = false;           ///< its last message is passed on without being held
  bool unit_begins_read_only_ = false;  ///< holds a BEGIN … READ ONLY
  bool unit_may_open_ = false;  ///< several statements, of which one may open a transaction and not end it
  bool settled_ = false;  ///< the primary shows by now what the last replica has shown, or that took too long
  std::uint64_t visibility_ticket_ = 0;
  bool unvouched_ =
      false;  ///< sent to the primary because no connection to a replica was vouched for in time
  bool rolled_back_ = false;        ///< the server said that the unit was not completed (57P01)
  bool command_completed_ = false;  ///< a CommandComplete came
  bool sequence_failed_ = false;    ///< the server skips to a Sync that the client has not sent yet
  bool unit_executes_ = false;      ///< holds a Query, Execute or FunctionCall
  bool unit_failed_ = false;        ///< the server answered with an error
  bool unit_changes_functions_ = false;
  bool own_sync_ = false;  ///< we sent the Sync: the client is not told of its ReadyForQuery
  bool primary_only_ = false;
  bool replied_ = false;           ///< the client was sent something of the answer
  bool draining_refusal_ = false;  ///< a refused read's server is drained to its ReadyForQuery
  std::uint8_t attempts_ = 0;
  routing::Reason reason_ = routing::Reason::write;
  std::uint64_t sent_incarnation_ = 0;
  bool sent_to_primary_ = false;
  pools::Reactor::TimePoint sent_at_{};  ///< when the server connection was taken
  pools::Reactor::TimePoint arrived_{};
  std::vector<NameChange> changes_;
  std::size_t long_message_left_ = 0;  ///< bytes of a frontend message that is passed on without being held
  bool long_message_ends_unit_ = false;
  bool discard_long_message_ = false;  ///< … it is dropped instead
  std::size_t long_reply_left_ = 0;    ///< the same for a backend message
  bool long_reply_swallowed_ = false;

  // The session.
  SessionMark written_;
  SessionMark seen_;
  std::optional<routing::LastReplica> last_replica_;
  absl::flat_hash_map<std::string, StatementCache::Reference, routing::StringHash, std::equal_to<>> prepared_;
  bool unnamed_on_server_ = false;    ///< the leased server has it
  std::string unnamed_;               ///< definition of the unnamed statement; empty: none
  const char* pin_reason_ = nullptr;  ///< static; null: not pinned
  /// A statement that leaves state failed: a part of it may have outlived the failure, and its transaction.
  bool server_doubtful_ = false;
  char status_ = 'I';          ///< of the last ReadyForQuery
  bool mid_sequence_ = false;  ///< the server was sent messages that no Sync or Query has ended
  /// A BEGIN … READ ONLY that was answered here; it goes to the server with the first statement, which
  /// chooses it.
  std::string held_begin_;
  bool lost_at_replica_ = false;     ///< … where it cannot have written: its COMMIT succeeds
  bool transaction_lost_ = false;    ///< the server of an open transaction went away: to be told
  bool ending_bound_ = false;        ///< … a portal of a ROLLBACK or COMMIT was bound since
  bool failed_transaction_ = false;  ///< told: nothing runs until ROLLBACK or COMMIT
  bool skip_to_sync_ = false;
  bool welcoming_ = false;
  bool closing_ = false;
  bool client_readable_ = false;
  bool client_gone_ = false;
  bool in_process_input_ = false;

  Wait wait_ = Wait::none;
  std::optional<std::list<Session*>::iterator> wait_place_;
  pools::Reactor::TimePoint wait_began_{};
  routing::Decision pending_;  ///< while waiting for a server connection
  pools::Reactor::Timer timer_;
};

}  // namespace tidemark::proxy
