#include <algorithm>
#include <variant>

#include "proxy/session_marks.hpp"
#include "routing/hint.hpp"
#include "routing/mutation.hpp"

namespace tidemark::proxy {

using routing::ConsistencyLevel;

/// Before the texts of a unit are looked at.
void Session::begin_choice() {
  const auto& policy = worker_.shared().config.routing;
  if (unit_mistake_ != nullptr) unit_mistake_.reset();
  unit_may_be_command_ = false;
  const bool shared = tidemark_ != nullptr && !routing::mutated(routing::Mutation::marks_unshared);
  route_.begin(shared ? tidemark_->now().user_key : 0);
  if (policy.rules.empty()) [[likely]]
    return;
  if (rules_ != nullptr && rules_settings_ == settings_) return;
  const std::string* application = settings_->find("application_name");
  rules_ = std::make_unique<routing::SessionRules>(policy, group_->database, group_->user,
                                                   application != nullptr ? *application : std::string());
  rules_settings_ = settings_;
}

void Session::note_particular(std::string_view sql) {
  if (may_be_tidemark_command(sql)) unit_may_be_command_ = true;
  if (routing::begins_with_comment(sql)) [[unlikely]]
    take_hint(sql);
  if (rules_ != nullptr && rules_->need_text()) [[unlikely]]
    take_rule(rules_->choose(sql));
}

void Session::note_prepared(const PreparedText& text) {
  if (text.may_be_command) unit_may_be_command_ = true;
  if (text.may_have_hint) [[unlikely]]
    take_hint(text.query());
  if (rules_ != nullptr && rules_->need_text()) [[unlikely]]
    take_rule(rules_->choose(text.query()));
}

void Session::take_rule(const routing::LevelChoice& choice) {
  route_.is_particular = true;
  route_.chosen = route_.chosen ? routing::strongest(*route_.chosen, choice) : choice;
}

void Session::take_hint(std::string_view sql) {
  const auto reading = routing::read_hint(sql);
  const auto fail = [&](const ClientError& error) {
    if (unit_mistake_ == nullptr) unit_mistake_ = std::make_unique<ClientError>(error);
  };
  if (const auto* error = std::get_if<routing::HintError>(&reading))
    return fail(describe_bad_hint(routing::to_string(*error)));
  const auto* hint = std::get_if<routing::Hint>(&reading);
  if (hint == nullptr) return;
  route_.is_particular = true;
  auto level = hint->consistency;
  if (hint->primary) level = ConsistencyLevel::primary;
  // A bound by itself asks for the level that it is a bound of.
  if (!level && (hint->max_staleness || hint->max_staleness_bytes))
    level = ConsistencyLevel::bounded_staleness;
  if (level) {
    route_.hinted = route_.hinted ? routing::stronger(*route_.hinted, *level) : *level;
    if (hint->max_staleness)
      route_.hinted_time = std::min(route_.hinted_time.value_or(*hint->max_staleness), *hint->max_staleness);
    if (hint->max_staleness_bytes) {
      route_.hinted_bytes =
          std::min(route_.hinted_bytes.value_or(*hint->max_staleness_bytes), *hint->max_staleness_bytes);
    }
  }
  if (hint->user_key) {
    if (route_.user_is_hinted && route_.user != *hint->user_key) return fail(describe(Failure::two_users));
    route_.user_is_hinted = true;
    route_.user = *hint->user_key;
  }
  if (!hint->token) return;
  if (const auto error = take_token(*hint->token)) fail(*error);
}

/// When all texts of the unit have been looked at.
void Session::choose_level() {
  const auto& policy = worker_.shared().config.routing;
  route_.level = policy.consistency;
  route_.max_staleness = policy.max_staleness;
  route_.replay = policy.replay;
  if (rules_ != nullptr) [[unlikely]] {
    const routing::LevelChoice choice = route_.chosen ? *route_.chosen : rules_->choose({});
    route_.level = choice.level;
    route_.max_staleness = choice.max_staleness;
    route_.replay = choice.replay;
    if (choice.rule != nullptr) {
      route_.is_particular = true;
      route_.source = LevelSource::rule;
      route_.rule = &choice.rule->name;
    }
  }
  if (tidemark_ != nullptr) [[unlikely]] {
    const TidemarkValues& wish = tidemark_->now();
    if (wish.consistency || wish.node_is_primary) {
      route_.level = wish.node_is_primary ? ConsistencyLevel::primary : *wish.consistency;
      route_.source = LevelSource::set;
    }
    if (wish.max_staleness) route_.max_staleness.time = *wish.max_staleness;
    if (wish.max_staleness_bytes) route_.max_staleness.bytes = wish.max_staleness_bytes;
  }
  if (route_.hinted) [[unlikely]] {
    route_.level = *route_.hinted;
    route_.source = LevelSource::hint;
    if (route_.hinted_time) route_.max_staleness.time = *route_.hinted_time;
    if (route_.hinted_bytes) route_.max_staleness.bytes = route_.hinted_bytes;
  }
  note_user();
}

/// What is done from here on is also done on behalf of the unit's user.
void Session::note_user() {
  if (status_ == 'I' && !mid_sequence_) users_.clear();
  if (route_.user == 0 && users_.empty()) return;
  if (users_.empty() && (status_ != 'I' || mid_sequence_)) users_.push_back(0);
  if (std::find(users_.begin(), users_.end(), route_.user) == users_.end()) users_.push_back(route_.user);
}

}  // namespace tidemark::proxy
