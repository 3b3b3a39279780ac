#include "proxy/state_tracker.hpp"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace tidemark::proxy {

namespace state = routing::session_state;
using Kind = SettingCommand::Kind;

namespace {

struct PinName {
  std::uint16_t bit;
  std::string_view label;      ///< in metrics, and its kind in the answer
  std::string_view text;       ///< for people
  std::string_view condition;  ///< in the question; empty: not asked this way
};

// Unqualified names are safe: operators and functions are pg_catalog's.
constexpr std::array<PinName, 9> kPins{{
    {state::listen, "listen", "LISTEN", "EXISTS (SELECT FROM pg_catalog.pg_listening_channels())"},
    {state::temporary, "temporary", "temporary objects",
     "pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0 AND ("
     "EXISTS (SELECT FROM pg_catalog.pg_class WHERE relnamespace OPERATOR(pg_catalog.=) "
     "pg_catalog.pg_my_temp_schema()) OR EXISTS (SELECT FROM pg_catalog.pg_proc WHERE pronamespace "
     "OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()) OR EXISTS (SELECT FROM pg_catalog.pg_type WHERE "
     "typnamespace OPERATOR(pg_catalog.=) pg_catalog.pg_my_temp_schema()))"},
    {state::advisory_lock, "advisory_lock", "advisory locks",
     "EXISTS (SELECT FROM pg_catalog.pg_locks WHERE locktype OPERATOR(pg_catalog.=) 'advisory' AND pid "
     "OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid())"},
    {state::held_cursor, "held_cursor", "cursors WITH HOLD",
     "EXISTS (SELECT FROM pg_catalog.pg_cursors WHERE is_holdable)"},
    {state::role, "role", "SET ROLE or SESSION AUTHORIZATION", {}},
    {state::prepared, "prepared", "SQL PREPARE",
     "EXISTS (SELECT FROM pg_catalog.pg_prepared_statements WHERE from_sql)"},
    {state::unknown, "unknown", "state that is not known", {}},
    {state::unaskable, "unaskable", "state that the server does not tell of", {}},
    {kPinnedByMode, "session_mode", "pool.mode = \"session\"", {}},
}};

/// E'' so that the meaning does not hang on standard_conforming_strings.
std::string literal(std::string_view text) {
  std::string out = "E'";
  for (const char c : text) {
    if (c == '\'' || c == '\\') out += c;
    out += c;
  }
  return out += '\'';
}

bool is_custom(std::string_view name) {
  return name.find('.') != std::string_view::npos;
}

}  // namespace

std::string pin_reasons(std::uint16_t pins) {
  std::string out;
  for (const auto& pin : kPins) {
    if ((pins & pin.bit) == 0) continue;
    if (!out.empty()) out += ", ";
    out += pin.text;
  }
  return out;
}

std::string_view pin_label(std::uint16_t bit) {
  const auto found =
      std::find_if(kPins.begin(), kPins.end(), [&](const auto& pin) { return pin.bit == bit; });
  return found == kPins.end() ? std::string_view{} : found->label;
}

StateTracker::Doubt& StateTracker::doubt() {
  if (!doubt_) doubt_ = std::make_unique<Doubt>();
  return *doubt_;
}

void StateTracker::note_unit(std::uint16_t kinds, bool ends_state, std::vector<SettingCommand> commands,
                             bool direct) {
  touched_ = static_cast<std::uint16_t>(touched_ | kinds);
  ends_state_ = ends_state_ || ends_state;
  direct_ = direct_ && direct;
  if (commands.empty()) return;
  auto& all = doubt().commands;
  all.insert(all.end(), std::make_move_iterator(commands.begin()), std::make_move_iterator(commands.end()));
}

void StateTracker::clear() {
  touched_ = 0;
  ends_state_ = false;
  direct_ = true;
  doubt_.reset();
}

bool StateTracker::names_are_known() const {
  return doubt_ != nullptr && std::none_of(doubt_->commands.begin(), doubt_->commands.end(),
                                           [](const auto& command) { return command.kind == Kind::unknown; });
}

StateTracker::Step StateTracker::at_idle(bool succeeded) const {
  const bool may_end = ends_state_ && (pins_ & ~kPinnedByMode) != 0;
  if (touched_ == 0 && !may_end) return Step::nothing;
  const bool known = succeeded && direct_ && touched_ == state::settings && !may_end && names_are_known() &&
                     std::all_of(doubt_->commands.begin(), doubt_->commands.end(), [](const auto& command) {
                       return command.kind != Kind::set || command.value.has_value();
                     });
  if (known) return Step::known;
  // The server is kept anyway, with all that it has: asked is when that may end, or for a reason that is new.
  const int kept_for = pins_ | state::settings | state::unknown;
  const bool kept = (pins_ & kPinnedByMode) != 0 || (pinned() && !may_end && (touched_ & ~kept_for) == 0);
  return kept ? Step::later : Step::ask;
}

void StateTracker::postpone() {
  direct_ = ends_state_ = false;
  touched_ = static_cast<std::uint16_t>(touched_ | state::unknown);
  if (!doubt_) return;
  auto& commands = doubt_->commands;
  std::erase_if(commands,
                [](const auto& command) { return command.kind == Kind::set && !is_custom(command.name); });
  std::sort(commands.begin(), commands.end(),
            [](const auto& a, const auto& b) { return std::tie(a.kind, a.name) < std::tie(b.kind, b.name); });
  commands.erase(
      std::unique(commands.begin(), commands.end(),
                  [](const auto& a, const auto& b) { return a.kind == b.kind && a.name == b.name; }),
      commands.end());
}

StateTracker::Settings StateTracker::apply_known(const pools::SessionSettings& before,
                                                 const pools::SessionSettings& startup) {
  Settings now{before, before};
  for (const auto& command : doubt().commands) {
    switch (command.kind) {
      case Kind::set:
        if (!command.value) break;
        now.server.set(command.name, *command.value);
        now.session.set(command.name, *command.value);
        break;
      case Kind::reset: {
        now.server.erase(command.name);
        const std::string* first = startup.find(command.name);
        first != nullptr ? now.session.set(command.name, *first) : now.session.erase(command.name);
        break;
      }
      case Kind::reset_all:
        now.server = {};
        now.session = startup;
        break;
      case Kind::perhaps:
      case Kind::unknown:
        break;
    }
  }
  forget();
  return now;
}

std::string StateTracker::question(bool succeeded, const pools::SessionSettings& before,
                                   std::string_view login) {
  Doubt& open = doubt();
  const bool settings_only = touched_ == state::settings && !(ends_state_ && pins_ != 0);
  open.all_settings = !(succeeded && direct_ && settings_only && names_are_known());
  std::vector<std::string> names;
  for (const auto& command : open.commands) {
    if (command.kind == Kind::perhaps) names.push_back(command.name);
    if (command.kind == Kind::set && (!open.all_settings || is_custom(command.name)))
      names.push_back(command.name);
  }
  if (open.all_settings) {
    // Parameters of no module are not in pg_settings.
    for (const auto& [name, value] : before.values) {
      if (is_custom(name)) names.push_back(name);
    }
  }
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());

  std::string sql;
  const auto part = [&sql](std::string_view select) {
    if (!sql.empty()) sql += " UNION ALL ";
    sql += select;
  };
  if (open.all_settings) {
    // SET TRANSACTION READ WRITE leaves a source behind that outlives its transaction; the value does not.
    part(
        "SELECT 'setting', name, setting FROM pg_catalog.pg_settings WHERE source OPERATOR(pg_catalog.=) "
        "'session' AND name OPERATOR(pg_catalog.<>) ALL "
        "('{transaction_deferrable,transaction_isolation,transaction_read_only}')");
  }
  for (const auto& name : names) {
    const std::string quoted = literal(name);
    std::string setting = "SELECT 'setting', ";
    setting.append(quoted).append(", pg_catalog.current_setting(").append(quoted).append(", true)");
    part(setting);
  }
  if (!settings_only) {
    for (const auto& pin : kPins) {
      if (pin.condition.empty() && pin.bit != state::role) continue;
      std::string condition(pin.condition);
      if (pin.bit == state::role) {
        condition =
            "pg_catalog.current_setting('role') OPERATOR(pg_catalog.<>) 'none' OR "
            "session_user OPERATOR(pg_catalog.<>) " +
            literal(login);
      }
      part("SELECT '" + std::string(pin.label) + "', NULL, NULL WHERE " + condition);
    }
  }
  if (sql.empty()) part("SELECT NULL, NULL, NULL WHERE false");
  return sql;
}

void StateTracker::on_row(std::string_view kind, std::string_view name,
                          std::optional<std::string_view> value) {
  Doubt& open = doubt();
  if (kind == "setting") {
    std::string lower(name);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    if (value) open.answered.emplace_back(std::move(lower), *value);
    return;
  }
  for (const auto& pin : kPins) {
    if (pin.label == kind) open.answered_pins = static_cast<std::uint16_t>(open.answered_pins | pin.bit);
  }
}

StateTracker::Settings StateTracker::settle(const pools::SessionSettings& before,
                                            const pools::SessionSettings& startup) {
  Doubt open = std::move(doubt());
  const bool settings_only = touched_ == state::settings && !(ends_state_ && pins_ != 0);
  if (!settings_only) {
    const bool all_reset = std::any_of(open.commands.begin(), open.commands.end(),
                                       [](const auto& command) { return command.kind == Kind::reset_all; });
    auto kept = static_cast<std::uint16_t>(
        pins_ & (state::unaskable | kPinnedByMode | (all_reset ? std::uint16_t{0} : state::unknown)));
    kept = static_cast<std::uint16_t>(kept | (touched_ & state::unaskable));
    pins_ = static_cast<std::uint16_t>(kept | open.answered_pins);
  }
  // A parameter of no module whose name the text does not tell is in no answer.
  const bool nameless = std::any_of(open.commands.begin(), open.commands.end(),
                                    [](const auto& command) { return command.kind == Kind::unknown; });
  if (nameless) pin(state::unknown);
  if (!open.all_settings) {
    doubt_ = std::make_unique<Doubt>();
    for (auto& command : open.commands) {
      if (command.kind == Kind::set) {
        const auto answer = std::find_if(open.answered.begin(), open.answered.end(),
                                         [&](const auto& entry) { return entry.first == command.name; });
        if (answer == open.answered.end()) {
          command.kind = Kind::reset;
        } else {
          command.value = answer->second;
        }
      }
      doubt_->commands.push_back(std::move(command));
    }
    return apply_known(before, startup);
  }
  Settings now;
  // PostgreSQL forgets no parameter of no module: one that others had set is empty, not missing.
  const auto is_mine = [&](const std::string& name) {
    return before.find(name) != nullptr ||
           std::any_of(open.commands.begin(), open.commands.end(), [&](const auto& command) {
             return command.kind != Kind::perhaps && command.name == name;
           });
  };
  for (const auto& [name, value] : open.answered) {
    if (!value.empty() || !is_custom(name) || is_mine(name)) now.server.set(name, value);
  }
  now.session = now.server;
  // What was reset goes back to the session's beginning, not to the server's.
  for (const auto& [name, value] : startup.values) {
    if (now.session.find(name) == nullptr) now.session.set(name, value);
  }
  forget();
  return now;
}

void StateTracker::settle_unanswered() {
  pin(static_cast<std::uint16_t>((touched_ & ~state::settings) | state::unaskable));
  forget();
}

}  // namespace tidemark::proxy
