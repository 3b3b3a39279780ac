// What routines may leave in a server, of which no text tells but their own bodies.

#include <algorithm>
#include <utility>

#include "protocol/frontend_messages.hpp"
#include "proxy/session.hpp"
#include "proxy/session_limits.hpp"
#include "proxy/sql_words.hpp"
#include "routing/safe_functions.hpp"

namespace tidemark::proxy {

namespace state = routing::session_state;

namespace {

/// Longer texts are asked about each time rather than kept.
constexpr std::size_t kMaxRememberedText = 4096;

}  // namespace

/// The unit at hand is about to be sent and may change what its session leaves in a server.
void Session::note_state() {
  asked_call_.clear();
  if ((unit_class_.state & ~state::suspected) == state::unknown) {
    auto call = called_routine();
    if (const auto known = group_->harmless_calls.find(call);
        known != group_->harmless_calls.end() && known->second >= kHarmlessAnswers) {
      return;
    }
    if (status_ == 'I' && !mid_sequence_) asked_call_ = std::move(call);
  }
  const bool direct =
      unit_class_.only_sets && status_ == 'I' && !mid_sequence_ && sole_statement().has_value();
  tracker_.note_unit(static_cast<std::uint16_t>(unit_class_.state & ~state::knowledge),
                     unit_class_.ends_state, std::exchange(unit_commands_, {}), direct);
}

/// By what the unit at hand is known when it is asked about again and again: a procedure's name as it is
/// written, or the whole text of a DO, or of a statement whose functions run SQL that nobody can tell. Empty:
/// by nothing.
std::string Session::called_routine() {
  const auto sql = sole_statement();
  if (!sql) return {};
  std::string_view words = *sql;
  const std::string verb = next_word(words);
  const bool suspected = (unit_class_.state & state::suspected) != 0;
  if (verb == "call" && !suspected) return verb + std::string(words.substr(0, words.find('(')));
  if (verb == "do") return std::string(*sql);
  // Behind EXECUTE stands another statement each time; a name with Unicode escapes was not looked up.
  const bool is_whole = verb == "select" || verb == "insert" || verb == "update" || verb == "delete" ||
                        verb == "merge" || verb == "with" || verb == "call";
  const bool kept = suspected && is_whole && sql->size() <= kMaxRememberedText &&
                    sql->find("&\"") == std::string_view::npos;
  return kept ? std::string(*sql) : std::string{};
}

/// A FunctionCall message: any function may be called by its oid, and those of large objects mostly are.
void Session::note_function_call(std::string_view body) {
  const auto oid = protocol::parse_function_oid(body);
  if (oid && routing::is_large_object_function(*oid)) return;
  unit_class_.state |= state::unknown | state::certain;
  unit_class_.ends_state = true;
}

void Session::note_function_changes() {
  changed_functions_ = true;
  worker_.functions_changed(*group_);
}

/// The parameters that a routine of this database may have set; the server lists those of no module only to
/// who asks by name.
void Session::name_settings_of_routines() {
  for (const auto& name : group_->catalog->settings)
    unit_commands_.push_back({SettingCommand::Kind::perhaps, name, std::nullopt});
  if ((unit_class_.state & state::nameless) != 0)
    unit_commands_.push_back({SettingCommand::Kind::unknown, {}, std::nullopt});
}

}  // namespace tidemark::proxy
