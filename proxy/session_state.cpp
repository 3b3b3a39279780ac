#include <algorithm>
#include <array>
#include <utility>

#include "protocol/backend_messages.hpp"
#include "protocol/bytes.hpp"
#include "protocol/frontend_messages.hpp"
#include "proxy/session.hpp"
#include "proxy/session_limits.hpp"
#include "proxy/sql_words.hpp"
#include "routing/routine_body.hpp"

namespace tidemark::proxy {

namespace state = routing::session_state;
using Kind = SettingCommand::Kind;
using protocol::Expected;
using protocol::Fate;

namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return out;
}

/// Parameters of which a value that was accepted once is always accepted: no look at the catalogs, no
/// privileges.
bool is_always_accepted(std::string_view name) {
  static constexpr std::array<std::string_view, 27> kNames{"application_name",
                                                           "bytea_output",
                                                           "client_encoding",
                                                           "client_min_messages",
                                                           "datestyle",
                                                           "default_transaction_deferrable",
                                                           "default_transaction_isolation",
                                                           "default_transaction_read_only",
                                                           "escape_string_warning",
                                                           "extra_float_digits",
                                                           "force_parallel_mode",
                                                           "idle_in_transaction_session_timeout",
                                                           "idle_session_timeout",
                                                           "intervalstyle",
                                                           "jit",
                                                           "lock_timeout",
                                                           "maintenance_work_mem",
                                                           "max_parallel_workers_per_gather",
                                                           "plan_cache_mode",
                                                           "random_page_cost",
                                                           "row_security",
                                                           "search_path",
                                                           "standard_conforming_strings",
                                                           "statement_timeout",
                                                           "synchronous_commit",
                                                           "timezone",
                                                           "work_mem"};
  return std::binary_search(kNames.begin(), kNames.end(), name) || name.starts_with("enable_") ||
         name.find('.') != std::string_view::npos;
}

}  // namespace

/// Whether taking over a server with settings `from` may fail: then it is waited for before anything runs.
bool settings_change_may_fail(const pools::SessionSettings& from, const pools::SessionSettings& to) {
  if (from.find("statement_timeout") != nullptr) return true;
  const auto changes = [](const pools::SessionSettings& some, const pools::SessionSettings& other) {
    return std::any_of(some.values.begin(), some.values.end(), [&](const auto& entry) {
      const std::string* value = other.find(entry.first);
      return !is_always_accepted(entry.first) && (value == nullptr || *value != entry.second);
    });
  };
  return changes(from, to) || changes(to, from);
}

/// Finds what the unit at hand sets. A level of isolation that replicas refuse, and what the text does not
/// tell, is set on the primary.
void Session::read_setting_commands() {
  unit_commands_.clear();
  const bool sets = (unit_class_.state & state::settings) != 0;
  const bool runs_anything = (unit_class_.state & state::unknown) != 0;
  if (!sets && !runs_anything) return;
  const std::string_view bytes = in_.view();
  bool parses_unnamed = false;
  const auto add = [&](std::string_view sql) {
    if (sets) {
      auto commands = setting_commands(sql);
      std::move(commands.begin(), commands.end(), std::back_inserter(unit_commands_));
    }
    if (!runs_anything) return;
    for (auto& name : routing::custom_settings(sql))
      unit_commands_.push_back({Kind::perhaps, std::move(name), std::nullopt});
  };
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(bytes);
    if (message.type == 'Q') {
      if (const auto sql = protocol::parse_query(body)) add(*sql);
    } else if (message.type == 'P') {
      const auto parse = protocol::parse_parse(body);
      if (!parse) continue;
      parses_unnamed = parses_unnamed || parse->statement.empty();
      add(parse->query);
    } else if (message.type == 'B') {
      const auto bind = protocol::parse_bind(body);
      if (!bind) continue;
      if (const PreparedText* text = find_prepared(bind->statement)) {
        add(text->query());
      } else if (bind->statement.empty() && !parses_unnamed) {
        add(statements_.unnamed_query());
      }
    }
  }
  const auto is_ours = [](const auto& command) {
    return command.kind != Kind::perhaps && command.name.starts_with("tidemark.");
  };
  if (std::any_of(unit_commands_.begin(), unit_commands_.end(), is_ours))
    unit_mistake_ = std::make_unique<ClientError>(describe(Failure::command_not_alone));
  if (runs_anything) name_settings_of_routines();
  if (!sets) return;
  const bool resets_all = std::any_of(unit_commands_.begin(), unit_commands_.end(),
                                      [](const auto& command) { return command.kind == Kind::reset_all; });
  if (resets_all && tidemark_ != nullptr) tidemark_->reset_all(status_ != 'I');
  const bool anywhere = std::none_of(unit_commands_.begin(), unit_commands_.end(), [](const auto& command) {
    return command.kind == Kind::unknown || command.name.find("transaction") != std::string::npos;
  });
  if (!anywhere) unit_class_.is_read = false;
}

/// RESET of what is set here, answered without a server: the next one is taken over without it. True when
/// done.
bool Session::answer_reset() {
  if (!unit_class_.only_sets || status_ != 'I' || mid_sequence_ || unit_commands_.size() != 1) return false;
  const SettingCommand& command = unit_commands_.front();
  if (command.kind != Kind::reset && command.kind != Kind::reset_all) return false;
  const auto sql = sole_statement();
  if (!sql || routing::classify(*sql, nullptr).several) return false;
  if (command.kind == Kind::reset && settings_->find(command.name) == nullptr &&
      startup_->find(command.name) == nullptr) {
    return false;  // it may not exist
  }
  std::string_view words = *sql;
  const bool is_set = next_word(words) == "set";
  tracker_.note_unit(unit_class_.state, false, {command}, true);
  settings_ = worker_.settings().intern(tracker_.apply_known(*settings_, *startup_).session);
  watch_own_limits();
  unit_commands_.clear();
  answer_alone(is_set ? "SET" : "RESET");
  return true;
}

/// What lastval and currval answer belongs to one server connection: outside of the transaction that called
/// nextval nobody knows which, and another's answer would be wrong. Who has not written asks a server whose
/// sequences are forgotten first, and is told by it. True when refused.
bool Session::refuse_sequence_state() {
  if (!unit_class_.reads_sequence) return false;
  if (!group_->reads_sequences) worker_.learn_that_sequences_are_read(*group_);
  if (status_ != 'I' || mid_sequence_ || tracker_.pinned() || !has_written_) return false;
  const auto sql = sole_statement();
  if (!sql || routing::classify(*sql, nullptr).several || lower(*sql).find("nextval") != std::string::npos)
    return false;
  fail_unit(describe(Failure::no_sequence_state), status_);
  return true;
}

/// What pool.mode forbids or forces. True when refused.
bool Session::refuse_by_mode() {
  switch (worker_.shared().config.pool.mode) {
    case pools::PoolMode::transaction:
      return false;
    case pools::PoolMode::session:
      primary_only_ = true;
      return false;
    case pools::PoolMode::statement:
      break;
  }
  if (unit_class_.kind != UnitKind::begin && unit_class_.kind != UnitKind::opens &&
      !unit_class_.begins_read_only && !unit_class_.may_open) {
    return false;
  }
  fail_unit(describe(Failure::transaction_in_statement_mode), status_);
  return true;
}

/// The session is idle again: works out what it has left in its server. False when the server has to be
/// asked first, which is under way then.
bool Session::settle_state(bool succeeded) {
  for (const auto& [name, value] : std::exchange(reported_before_, {})) {
    const std::string* told = protocol::find_parameter(reported_, name);
    if (told == nullptr) told = protocol::find_parameter(*welcome_, name);
    if (tracker_.touched() == 0 && told != nullptr && *told != value) tracker_.note_surprise();
  }
  switch (tracker_.at_idle(succeeded)) {
    case StateTracker::Step::nothing:
      return true;
    case StateTracker::Step::known:
      take_settings(tracker_.apply_known(*server_->settings, *startup_));
      return true;
    case StateTracker::Step::later:
      tracker_.postpone();
      return true;
    case StateTracker::Step::ask:
      break;
  }
  std::string& out = worker_.own_bytes();
  out.clear();
  protocol::append_query(out, tracker_.question(succeeded, *server_->settings, group_->user));
  server_->pipeline.push(Expected::query, Fate::swallow, kQuestionTag);
  unnamed_on_server_ = false;
  asking_ = true;
  if (!server_->socket.send(out)) server_->readable = true;
  return false;
}

/// A row of three texts.
void Session::on_question_row(std::string_view body, bool whole) {
  const auto row = whole ? protocol::parse_data_row(body) : std::nullopt;
  if (!row || row->size() != 3 || !(*row)[0]) {
    tracker_.pin(state::unaskable);
    return;
  }
  tracker_.on_row(*(*row)[0], (*row)[1].value_or(std::string_view{}), (*row)[2]);
}

void Session::settle_question() {
  asking_ = false;
  const auto before = tracker_.pins();
  auto settings = tracker_.settle(*server_->settings, *startup_);
  if (!asked_call_.empty() && before == tracker_.pins() &&
      settings.server.values == server_->settings->values) {
    // A routine that has left nothing so often is not asked about any more.
    auto& calls = group_->harmless_calls;
    if (calls.size() >= kMaxHarmlessCalls) calls.clear();
    auto& answers = calls[std::exchange(asked_call_, {})];
    if (answers < kHarmlessAnswers) ++answers;
  }
  count_pins(before, tracker_.pins());
  take_settings(std::move(settings));
  if (!closing_ && !tracker_.pinned()) release_server();
}

void Session::take_settings(StateTracker::Settings settings) {
  server_->settings = worker_.settings().intern(std::move(settings.server));
  settings_ = worker_.settings().intern(std::move(settings.session));
  watch_own_limits();
  std::string out;
  append_returned_parameters(out);
  if (!out.empty()) send_to_client(out);
}

/// A server that serves for the first time. Clients are greeted once for all nodes: what this one's login
/// told otherwise is set on it for every session.
void Session::learn_peculiarities(pools::ServerConnection& server) {
  static constexpr std::array<std::string_view, 7> kSettable{"application_name",
                                                             "client_encoding",
                                                             "DateStyle",
                                                             "default_transaction_read_only",
                                                             "IntervalStyle",
                                                             "TimeZone",
                                                             "standard_conforming_strings"};
  server.settings = worker_.settings().none();
  auto& first = group_->first_parameters;
  if (first.empty()) first = server.parameters();
  pools::SessionSettings differing;
  for (const auto name : kSettable) {
    const std::string* theirs = protocol::find_parameter(first, name);
    const std::string* its = protocol::find_parameter(server.parameters(), name);
    if (theirs != nullptr && its != nullptr && *theirs != *its) differing.set(lower(name), *theirs);
  }
  if (!differing.values.empty()) server.peculiarities = worker_.settings().intern(std::move(differing));
}

/// The settings of the session that can change what a text means when it is prepared; sessions that agree in
/// them share prepared statements.
pools::SettingsPointer Session::analysis_settings() {
  static constexpr std::array<std::string_view, 4> kHarmless{"application_name", "lock_timeout",
                                                             "statement_timeout", "work_mem"};
  if (settings_->values.empty()) return settings_;
  pools::SessionSettings some = *settings_;
  for (const auto name : kHarmless) some.erase(name);
  return worker_.settings().intern(std::move(some));
}

/// The client is told of a parameter's new value.
void Session::note_reported(std::string_view name, std::string_view value) {
  const std::string* first = protocol::find_parameter(*welcome_, name);
  const std::string* told = protocol::find_parameter(reported_, name);
  const std::string* old = told != nullptr ? told : first;
  if (old != nullptr && protocol::find_parameter(reported_before_, name) == nullptr)
    reported_before_.emplace_back(name, *old);
  std::erase_if(reported_, [&](const auto& entry) { return entry.first == name; });
  if (first == nullptr || *first != value) reported_.emplace_back(name, value);
}

/// Tells the client of the parameters that went back to what the session began with while no server, or one
/// that began otherwise, was there to tell it.
void Session::append_returned_parameters(std::string& out) {
  // What an open transaction has set is not known yet.
  if (status_ != 'I' && held_begin_.empty()) return;
  std::erase_if(reported_, [&](const auto& entry) {
    const std::string name = lower(entry.first);
    // These come with SET SESSION AUTHORIZATION, whose end the server tells.
    if (name == "is_superuser" || name == "session_authorization") return false;
    const std::string* now = settings_->find(name);
    const std::string* first = startup_->find(name);
    if ((now == nullptr) != (first == nullptr) || (now != nullptr && *now != *first)) return false;
    const std::string* value = protocol::find_parameter(*welcome_, entry.first);
    if (value != nullptr) protocol::append_parameter_status(out, entry.first, *value);
    return true;
  });
}

void Session::pin(std::uint16_t kinds) {
  const auto before = tracker_.pins();
  tracker_.pin(kinds);
  count_pins(before, tracker_.pins());
}

void Session::count_pins(std::uint16_t before, std::uint16_t now) {
  if (before == now) return;
  for (std::size_t bit = 0; bit < WorkerMetrics::kPinBits; ++bit) {
    const bool had = (before >> bit & 1) != 0;
    const bool has = (now >> bit & 1) != 0;
    auto& count = worker_.counters().pinned[bit];
    if (has && !had) count.add();
    if (had && !has) count.subtract();
  }
}

/// The server refuses settings that the session has. At its start that is the client's error, as with
/// PostgreSQL.
void Session::on_settings_refused(std::string_view body) {
  protocol::ErrorFields fields;
  ClientError error{
      protocol::sqlstate::invalid_parameter_value, "the server refused the session's settings", {}, {}};
  if (protocol::parse_error_fields(body, fields) == protocol::Errc::ok) {
    error = {fields.code, std::string(fields.message), std::string(fields.detail), std::string(fields.hint)};
  }
  const std::string_view code = error.code.text();
  const bool elsewhere = !sent_to_primary_ && (code == "0A000" || code == "25006");
  const bool passing = code.starts_with("57") || code.starts_with("53") || code.starts_with("40");
  drop_server();
  // What was sent along may have run without them: only a read is sent again.
  const bool again =
      (welcoming_ || applying_ || (unit_class_.is_read && unit_held_ && !replied_ && may_restart())) &&
      attempts_ < kMaxAttempts;
  if (!again || !(elsewhere || passing)) return fail_session(error);
  primary_only_ = primary_only_ || elsewhere;
  applying_ = false;
  retry_unit(elsewhere ? Retry::read_refused : Retry::server_lost);
}

}  // namespace tidemark::proxy
