#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/inlined_vector.h>

#include "pools/gather.hpp"
#include "pools/pool.hpp"
#include "pools/read_buffer.hpp"
#include "protocol/error_response.hpp"
#include "protocol/frontend_messages.hpp"
#include "protocol/unit.hpp"
#include "proxy/commit_watch.hpp"
#include "proxy/error_mapping.hpp"
#include "proxy/idle_watch.hpp"
#include "proxy/limits.hpp"
#include "proxy/loss_verdict.hpp"
#include "proxy/session_figures.hpp"
#include "proxy/session_start.hpp"
#include "proxy/session_terms.hpp"
#include "proxy/state_tracker.hpp"
#include "proxy/statement_cache.hpp"
#include "proxy/tidemark_command.hpp"
#include "proxy/tidemark_settings.hpp"
#include "proxy/transaction_record.hpp"
#include "proxy/unit_class.hpp"
#include "proxy/unit_names.hpp"
#include "proxy/unit_route.hpp"
#include "proxy/user_marks.hpp"
#include "proxy/worker.hpp"
#include "routing/decide.hpp"

namespace tidemark::proxy {

/// One client from its login to its end. It takes units from the client, has each routed (decide), sends it
/// to a server connection that it leases for as long as it must, and relays the answer. Thin: what bytes mean
/// is protocol's, which node is routing's, which connection is pools'. README.md tells the life of a query;
/// each section below names the file that holds it.
class Session final : public pools::EventHandler, public pools::ServerHolder, public pools::Waiter {
 public:
  Session(Worker& worker, SessionStart start);
  ~Session() override;

  /// Greets the client, or waits for a server that tells what to greet it with.
  void begin();
  /// The view or a position changed; called only while waiting. `topology`: roles or faults changed, too.
  void on_published(bool topology);
  void on_marks(std::uint64_t ticket, bool ok);  ///< Redis has answered a RedisMarks::Asker
  /// A CancelRequest with this session's key came.
  void cancel(const CancelDone& done);
  /// The worker drains: ends the session now if it holds no transaction, else later (`force`: now).
  void shut_down(bool force);
  /// The node is no longer what this session's server connection was taken for: closes it. `why`: a
  /// fence_reason().
  void fence(std::string_view why);
  /// Ends the session with an error of ours, instead of begin().
  void refuse(const ClientError& error);
  /// Closes it, or cancels what it runs, when it has done the same for longer than the limits allow.
  void check_timeouts(pools::Reactor::TimePoint now);
  /// Tells the client what it waits for, if a notice became due since the last call; `before`: clients that
  /// will be served first.
  void tell_wait(pools::Reactor::TimePoint last_call, pools::Reactor::TimePoint now, std::size_t before);

  [[nodiscard]] bool is_waiting() const { return wait_ != Wait::none; }
  [[nodiscard]] SessionFigures figures() const;
  [[nodiscard]] pools::ServerConnection* server() const { return server_; }
  [[nodiscard]] const PoolGroup* group() const { return group_; }
  /// Why it keeps its server connection (see StateTracker).
  [[nodiscard]] std::uint16_t pins() const { return tracker_.pins(); }
  /// Its server connection was taken as one to the primary.
  [[nodiscard]] bool on_former_primary() const { return server_ != nullptr && sent_to_primary_; }
  /// What it runs is a read of whose answer the client has had nothing.
  [[nodiscard]] bool can_be_sent_again() const {
    return unit_in_flight_ && unit_class_.kind == UnitKind::read && unit_held_ && !replied_ &&
           may_restart() && !mid_sequence_;
  }
  [[nodiscard]] std::uint64_t serial() const { return serial_; }
  [[nodiscard]] std::int32_t process_id() const { return cancel_key_.process_id; }

  // Events.
  void on_events(pools::IoEvents events) override;
  void on_server_events(pools::ServerConnection& server, pools::IoEvents events) override;
  void on_server_ready(pools::ServerConnection& server) override;
  void on_server_unavailable(const protocol::LoginFailure& failure) override;
  [[nodiscard]] bool can_go_elsewhere() const override {
    return unit_class_.is_read && worker_.view().primary != pending_.node;
  }
  pools::ServerHolder& holder() override { return *this; }

 private:
  using Wait = SessionWait;
  using UnitKind = SessionUnit;
  using ErrorFate = SessionError;

  // session.cpp
  void read_client();
  void process_input();
  bool take_next_unit();
  bool on_invalid();
  [[nodiscard]] bool begins_long_unit(const protocol::FrontendMessage& head) const;
  void skip_to_sync();
  void forward_copy_in();
  void end_copy_in(std::size_t send);
  void forward_long_message();
  void resume_reading();
  void go_on();
  void close();
  void send_to_client(std::string_view bytes);
  void fail_unit(const ClientError& error, char ready_status);
  void end_failed_unit(std::string& out, char ready_status);
  void fail_session(const ClientError& error);
  void clear_unit();
  void undo_changes(bool confirmed_too);
  void greet(const std::shared_ptr<const protocol::ParameterList>& parameters);
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
  bool on_malformed(const protocol::FrontendMessage& message, std::string_view what);
  void await_answers_or_fail(std::string_view what);
  [[nodiscard]] UnitPlace unit_place() const;
  void add_class(const routing::Classification& classification);
  PreparedText* find_prepared(std::string_view name);
  const routing::Classification& classification_of(PreparedText& text);
  bool runs_read_only_transaction();
  [[nodiscard]] bool is_plain_statement();

  // session_replay.cpp
  void note_for_replay();
  [[nodiscard]] bool may_be_recorded();
  bool record_unit();
  bool compare_replayed_unit();
  void record_held_begin(std::string_view unit);
  bool replay_transaction();
  void fail_replay(const ClientError& error);
  void give_replay_up(const ClientError& error);
  void forget_unit();
  [[nodiscard]] ClientError lost_transaction() const;
  [[nodiscard]] bool is_replaying() const { return record_ != nullptr && record_->replaying(); }

  // session_outcome.cpp
  void push_outcome_question(pools::Gather& out);
  void note_outcome_key(std::string_view body, bool whole);
  void learn_outcome();
  void ask_outcome();
  void on_outcome(std::string_view status);
  void settle_outcome();

  // session_local.cpp
  bool answer_locally();
  bool forget_statements(std::string_view sql, std::string& tag);
  bool hold_begin();
  std::optional<std::string_view> sole_statement();
  void answer_alone(std::string_view tag);
  void answer_failed_transaction();
  [[nodiscard]] std::optional<std::string_view> tag_of_certain_end();
  void answer_failed_sequence(bool lost, std::string_view tag);
  void answer_end(std::string_view tag);

  // session_state.cpp
  [[nodiscard]] pools::SettingsPointer analysis_settings();
  void read_setting_commands();
  void note_state();
  std::string called_routine();
  void note_function_call(std::string_view body);
  void note_function_changes();
  void name_settings_of_routines();
  bool answer_reset();
  bool refuse_sequence_state();
  bool refuse_by_mode();
  bool settle_state(bool succeeded);
  void on_question_row(std::string_view body, bool whole);
  void settle_question();
  void take_settings(StateTracker::Settings settings);
  void note_reported(std::string_view name, std::string_view value);
  void append_returned_parameters(std::string& out);
  void on_settings_refused(std::string_view body);
  void pin(std::uint16_t kinds);
  void count_pins(std::uint16_t before, std::uint16_t now);

  // session_send.cpp
  void send_unit();
  void push_message(const protocol::FrontendMessage& message, std::string_view bytes, pools::Gather& out);
  void push_parse(const protocol::ParseView& parse, std::string_view whole, pools::Gather& out);
  void push_bind(std::string_view whole, pools::Gather& out);
  void push_target(char type, std::string_view whole, pools::Gather& out);
  void push_long_head(pools::Gather& out);
  void push_preparations(pools::Gather& out);
  /// The name under which a server knows the client's `name`, which stands for `own`, or for nothing we know.
  static std::string_view server_name(std::string_view name, const ClientStatements::Statement* own,
                                      std::string& room);
  /// Make sure that the server has a statement.
  void prepare_on_server(ClientStatements::Statement& own, pools::Gather& out);
  void prepare_unnamed_on_server(pools::Gather& out);
  [[nodiscard]] pools::SettingsPointer settings_of(const PreparedText& text);
  void push_settings(const pools::SessionSettings& from, const pools::SessionSettings& to,
                     pools::Gather& out);
  /// Appends to `out.own()`; the caller adds it.
  void make_room(pools::StatementId id, pools::Gather& out);
  [[nodiscard]] pools::SettingsPointer wanted_settings();
  void apply_settings(pools::Gather& out);
  void forget_sequences(pools::Gather& out);
  void learn_peculiarities(pools::ServerConnection& server);

  // session_statements.cpp
  bool heal_statements(const protocol::ErrorFields& fields);
  [[nodiscard]] bool is_freed(std::string_view name) const;
  [[nodiscard]] ClientStatements::Statement* find_statement(std::string_view name);
  [[nodiscard]] std::string_view query_of(std::string_view statement);
  void name_statements(std::string_view body, std::uint32_t tag);
  std::string_view client_name_of(std::string_view server_name);
  /// What DEALLOCATE, as the unnamed statement of a pipeline, does to a name that lives here. True when done.
  bool push_deallocation(const protocol::FrontendMessage& message, std::string_view bytes);

  // session_compare.cpp
  /// Make sure that the server has a statement that the client is about to run. False when it gives another
  /// result than the client was told of, or may.
  bool ensure_prepared(const protocol::BindView& bind, ClientStatements::Statement& own, pools::Gather& out);
  bool ensure_unnamed(pools::Gather& out);
  [[nodiscard]] bool compares_as_it_runs() const;
  [[nodiscard]] bool describes_portal(const protocol::BindView& bind) const;
  absl::InlinedVector<std::string_view, 4> statements_to_compare();
  [[nodiscard]] bool must_compare_first();
  void compare_first();
  void finish_comparison();
  void push_outdated(pools::Gather& out);
  void push_failure(std::string_view definition, std::uint32_t tag, pools::Gather& out);
  void push_refused_parse(Limit limit, pools::Gather& out);
  [[nodiscard]] ClientError own_error(std::uint32_t tag) const;
  [[nodiscard]] std::optional<Limit> statement_limit(const protocol::ParseView& parse) const;
  std::uint32_t note_description(std::string_view name, const protocol::StatementShape& told);
  void push_comparison(std::string_view name, const protocol::StatementShape& told, pools::Gather& out);
  void on_description(char type, std::string_view body, bool whole, const protocol::Pipeline::Entry& entry);
  void note_result_changed();
  void on_result_changed();
  void end_compared_unit(std::string& out);

  // session_routing.cpp
  void route();
  void follow(const routing::Decision& decision);
  void hold_for_primary(pools::Reactor::TimePoint deadline);
  void lease_from(const routing::Decision& decision);
  void ask_for_position();
  bool wait_for_visibility(const routing::Decision& decision);
  [[nodiscard]] bool visibility_wait_is_over();
  bool wait_on_for_visibility();
  [[nodiscard]] bool is_still_good(const pools::ServerConnection& server);
  void start_on(pools::ServerConnection& server);
  void begin_wait(Wait what, pools::Reactor::TimePoint deadline);
  void end_wait();
  void on_deadline();
  void release_server();
  void drop_server();
  void clean_server();
  [[nodiscard]] routing::StatementContext statement() const {
    return {.is_read = unit_class_.is_read, .primary_only = primary_only_, .of_node = unit_class_.is_of_node};
  }

  // session_loss.cpp
  void on_server_lost(std::string_view fenced_because = {});
  void retry_unit(Retry reason);
  [[nodiscard]] LostUnit lost_unit();
  void answer_lost_unit();

  // session_marks.cpp
  /// Calls `function(UserMarks&)` for the user of the unit at hand.
  template <class Function>
  decltype(auto) with_marks(const Function& function);
  /// … for all users on whose behalf something was done since the session was last idle.
  template <class Function>
  void with_all_marks(const Function& function);
  [[nodiscard]] routing::SessionContext context();
  bool tell_of_loss();
  void note_progress();
  [[nodiscard]] bool was_flushed() const;
  void note_unknown_outcome();
  void change_user(std::uint64_t before);
  void show_token();
  [[nodiscard]] std::optional<ClientError> take_token(std::string_view text);
  [[nodiscard]] std::optional<ClientError> require(const routing::WalPosition& position);

  // session_shared.cpp
  bool share_marks(std::optional<routing::NodeId> node);
  bool ask_for_marks(RedisMarks& redis);
  bool answer_when_shared(std::string_view tag);
  void go_without_marks();
  void resume_unit();
  void release_fields();

  // session_level.cpp
  void begin_choice();
  /// What a text of the unit asks for, by a hint, by a command of ours, or by being what a rule is about.
  void note_text(std::string_view sql) {
    if (may_be_particular(sql) || rules_ != nullptr) [[unlikely]]
      note_particular(sql);
  }
  void note_particular(std::string_view sql);
  void note_prepared(const PreparedText& text);
  void take_rule(const routing::LevelChoice& choice);
  void take_hint(std::string_view sql);
  void choose_level();

  // session_tidemark.cpp
  bool answer_tidemark();
  [[nodiscard]] std::optional<TidemarkCommand> command_of_unit(bool& alone);
  bool carry_out(const TidemarkCommand& command);
  void answer_rows(std::string_view tag, std::string_view column, const std::vector<std::string>& rows);
  void refuse_in_transaction(const ClientError& error);
  [[nodiscard]] std::string explain_route(std::string_view sql);
  TidemarkSettings& tidemark();
  void note_user();
  void end_own_transaction(bool committed) {
    if (tidemark_ != nullptr) [[unlikely]]
      tidemark_->end_transaction(committed);
  }
  void note_route();

  // session_patience.cpp
  [[nodiscard]] IdleWatch::Doing doing() const;
  [[nodiscard]] bool may_be_noticed() const;
  bool hold_while_paused();
  void end_pause();
  [[nodiscard]] Failure why_held() const;
  void watch_own_limits();
  void check_own_limits();
  [[nodiscard]] LimitSubject limit_subject() const;
  [[nodiscard]] ClientError queue_timeout_error();

  // session_replies.cpp
  void read_server();
  std::size_t process_replies(std::string_view bytes, pools::Gather& out);
  bool on_reply(char type, std::string_view body, bool whole, protocol::Pipeline::Verdict& verdict);
  ErrorFate judge_error(std::string_view body, std::uint32_t tag);
  void pass_on_end(std::string_view body);
  void remember_refusal();
  [[nodiscard]] bool is_our_copy_failure(std::string_view body);
  /// Nothing of a transaction has been done: the unit at hand can run elsewhere.
  [[nodiscard]] bool may_restart() const { return status_ == 'I' || !held_begin_.empty(); }
  void on_discarded(std::string_view tag);
  void on_completed(const protocol::Pipeline::Entry& entry);
  std::uint32_t replace_unnamed(std::string_view definition, bool on_server);
  void undo(const protocol::Pipeline::Entry& entry, bool failed);
  void on_parameter_status(std::string_view body);
  void inject(pools::Gather& out);
  void finish_unit();
  void on_confused_server();

  Worker& worker_;
  pools::Socket client_;
  pools::ReadBuffer in_;
  PoolGroup* group_;
  pools::SettingsPointer startup_;   ///< settings that it began with
  pools::SettingsPointer settings_;  ///< that it has now
  std::uint64_t serial_;
  std::uint64_t user_key_;
  protocol::CancelKey cancel_key_;
  pools::ServerConnection* server_ = nullptr;

  // The unit at hand.
  protocol::Unit unit_;
  UnitClass unit_class_;
  bool unit_in_flight_ = false;                ///< sent (in part) and not answered in full
  bool unit_held_ = false;                     ///< its bytes are still in in_, so that it can be sent again
  bool unit_is_long_ = false;                  ///< its last message is passed on without being held
  bool unit_may_be_command_ = false;           ///< one of its texts may be a TidemarkCommand
  std::unique_ptr<ClientError> unit_mistake_;  ///< why it is not carried out: a hint that cannot be read
  UnitRoute route_;
  bool unvouched_ = false;           ///< sent to the primary: no connection to a replica was vouched for
  bool rolled_back_ = false;         ///< the server said that the unit was not completed (57P01)
  bool not_begun_ = false;           ///< the server ended before it took up the unit (57P05)
  bool command_completed_ = false;   ///< a CommandComplete came
  bool rolled_back_by_tag_ = false;  ///< the last one was of a transaction that has failed, or was given up
  std::uint8_t completions_ = 0;    ///< so many came of the unit at hand, or more if it is the greatest value
  bool sequence_failed_ = false;    ///< the server skips to a Sync that the client has not sent yet
  bool unit_failed_ = false;        ///< the server answered with an error
  bool changed_functions_ = false;  ///< the open transaction has, or may have
  bool own_sync_ = false;           ///< we sent the Sync: the client is not told of its ReadyForQuery
  bool primary_only_ = false;
  bool replied_ = false;           ///< the client was sent something of the answer
  bool draining_refusal_ = false;  ///< a refused read's server is drained to its ReadyForQuery
  bool healed_ = false;            ///< … because of a statement that the server has to prepare anew
  std::string rewritten_;          ///< what the client gets instead of the message at hand, if not empty
  std::uint8_t attempts_ = 0;
  routing::Reason reason_ = routing::Reason::write;
  std::uint64_t sent_incarnation_ = 0;
  routing::TimelineId sent_timeline_;
  bool sent_to_primary_ = false;
  pools::Reactor::TimePoint sent_at_{};  ///< when the server connection was taken
  pools::Reactor::TimePoint arrived_{};
  std::vector<NameChange> changes_;
  std::vector<Description> descriptions_;
  bool unit_compares_ = false;  ///< it runs a statement of which the client was told what it gives
  bool comparing_ = false;      ///< the server is asked what its statements give, before it is sent
  bool compared_ = false;       ///< … has been asked
  Limit reached_ = Limit::client_statements;  ///< what forbids a Parse of the unit
  std::string refused_;                       ///< … and answered with this error
  /// The portal last bound in this send, and its statement, if a Describe of it tells something new.
  std::string_view learning_portal_;
  std::string_view learning_from_;
  std::optional<std::string_view> freeing_portal_;  ///< … one of DEALLOCATE ALL or DISCARD ALL
  std::optional<std::size_t> freed_from_;  ///< … executed: names from before this place in changes_ are free
  bool deallocation_bound_ = false;        ///< the unnamed portal is one of push_deallocation
  bool outdated_ = false;                  ///< what is run gives another result than the client was told of
  bool copy_failed_ = false;               ///< by end_copy_in: the server has not answered yet
  std::size_t long_message_left_ = 0;  ///< bytes of a frontend message that is passed on without being held
  bool long_message_ends_unit_ = false;
  bool discard_long_message_ = false;  ///< … it is dropped instead
  std::size_t long_reply_left_ = 0;    ///< the same for a backend message
  bool long_reply_swallowed_ = false;

  // The session.
  UserMarks marks_;  ///< of the connection, as far as no key names its user
  /// Keys of the users on whose behalf something was done since it was last idle.
  absl::InlinedVector<std::uint64_t, 1> users_;
  std::vector<HeldField> held_fields_;          ///< that announce what is done for them
  std::optional<routing::WalPosition> token_;   ///< a startup option, until the session begins
  std::unique_ptr<TidemarkSettings> tidemark_;  ///< only of a session that has set some
  LastRoute last_route_;
  /// The rules that can match here, if there are rules; made anew when its application_name may have changed.
  std::unique_ptr<routing::SessionRules> rules_;
  pools::SettingsPointer rules_settings_;
  ClientStatements statements_;
  bool unnamed_on_server_ = false;          ///< the leased server has it
  protocol::StatementShape unnamed_shape_;  ///< … and has told this of it
  StateTracker tracker_;
  std::vector<SettingCommand> unit_commands_;  ///< what the unit at hand sets
  bool has_written_ = false;                   ///< sequences may have been advanced for it
  bool asking_ = false;                        ///< the server is asked for the state left in it
  std::string asked_call_;                     ///< … because of what Session::called_routine says
  bool applying_ = false;                      ///< the server takes over the session's settings first
  /// Parameters whose value the client was told after its greeting, which told of welcome_.
  protocol::ParameterList reported_;
  protocol::ParameterList reported_before_;  ///< values before the open transaction changed them
  std::shared_ptr<const protocol::ParameterList> welcome_;
  CommitWatch commit_watch_;
  std::unique_ptr<TransactionRecord> record_;  ///< only where transactions may be executed again
  bool learning_outcome_ = false;              ///< of the COMMIT at hand, whose server was lost
  char status_ = 'I';                          ///< of the last ReadyForQuery
  bool mid_sequence_ = false;  ///< the server was sent messages that no Sync or Query has ended
  /// A BEGIN … READ ONLY that was answered here; it goes to the server with the first statement, which
  /// chooses it.
  std::string held_begin_;
  bool only_reads_ = false;  ///< the open transaction is READ ONLY, and nothing can have changed that
  std::string_view
      fenced_because_;  ///< a fence_reason(), if the last server connection that was lost was fenced
  bool transaction_lost_ = false;    ///< the server of an open transaction went away: to be told
  bool ending_bound_ = false;        ///< … a portal of a ROLLBACK or COMMIT was bound since
  bool failed_transaction_ = false;  ///< told: nothing runs until ROLLBACK or COMMIT
  bool malformed_ahead_ = false;     ///< what follows the unit cannot be read, and waits for its answers
  bool skip_to_sync_ = false;
  bool welcoming_ = false;
  bool closing_ = false;
  bool client_readable_ = false;
  bool client_gone_ = false;
  bool in_process_input_ = false;

  Wait wait_ = Wait::none;
  std::optional<std::list<Session*>::iterator> wait_place_;
  pools::Reactor::TimePoint wait_began_{};
  std::optional<HeldStatements::Place> held_place_;  ///< while the unit at hand has no primary to go to
  routing::Decision pending_;                        ///< while waiting for a server connection
  pools::Reactor::Timer timer_;
  IdleWatch idle_watch_;
  /// Only of a session that has set idle_session_timeout or idle_in_transaction_session_timeout.
  struct OwnLimits {
    explicit OwnLimits(Session& session);
    IdleWatch watch;
    pools::Reactor::Timer timer;
  };
  std::unique_ptr<OwnLimits> own_limits_;
};

/// Whether a server connection with settings `from` may refuse to take over `to`.
[[nodiscard]] bool settings_change_may_fail(const pools::SessionSettings& from,
                                            const pools::SessionSettings& to);

}  // namespace tidemark::proxy
