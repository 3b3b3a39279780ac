// What stands before a parenthesis: calls, and what they are; the rest of StatementBody is in
// statement_body.cpp.

#include <algorithm>
#include <array>

#include "routing/routine_body.hpp"
#include "routing/safe_functions.hpp"
#include "routing/statement_body.hpp"
#include "routing/word_table.hpp"

namespace tidemark::routing {
namespace {

// NAMEDATALEN - 1: longer names are cut by the server, so that they are not what they seem.
constexpr std::size_t kMaxName = 63;

constexpr std::string_view kSetConfig = "set_config";
constexpr std::string_view kLeavesState = "function that leaves session state";
constexpr std::string_view kUnreadName = "name that is not compared with those of functions";
constexpr std::string_view kFunction = "volatile or unknown function";

// A byte of a quoted name that WordKey does not confuse with another.
constexpr bool is_lower_identifier_byte(char c) {
  return (c >= 'a' && c <= 'z') || is_digit_byte(c) || c == '_' || c == '$';
}

constexpr bool is_operand(Keyword keyword) {
  return keyword == Keyword::operand || keyword == Keyword::end || keyword == Keyword::true_;
}

/// A name as the catalogs store it: folded unless it was quoted.
class StoredName {
 public:
  explicit StoredName(const Token& token) : name_(token.text) {
    if (token.kind != TokenKind::word) return;
    std::transform(name_.begin(), name_.end(), folded_.begin(), ascii_lower);
    name_ = {folded_.data(), name_.size()};
  }
  [[nodiscard]] std::string_view view() const { return name_; }

 private:
  std::array<char, kMaxName> folded_{};
  std::string_view name_;
};

}  // namespace

// After the first argument of set_config(), which is one string.
void StatementBody::name_setting() {
  const bool plain = string_.size() > 2 && string_.front() == '\'' &&
                     string_.find('\'', 1) == string_.size() - 1 &&
                     string_.find('\\') == std::string_view::npos;
  if (!plain) return;
  const std::string_view name = string_.substr(1, string_.size() - 2);
  level_ = Level::set_config;
  if (equals_folded(name, "role") || equals_folded(name, "session_authorization"))
    level_ = Level::set_config_role;
  if (equals_folded(name, "seed")) leaves_session_state(session_state::unaskable, "seed of random()");
}

// In SET and DO, and among the arguments of set_config().
void StatementBody::string(const Token& token) {
  if (first_ == Keyword::do_) {
    static const EffectMap kNone;
    const bool known = catalog_ != nullptr;
    return take_effects(body_effects(inside_of_string(token.text), BodyLanguage::sql,
                                     known ? catalog_->routines : kNone, known ? catalog_->written : kNone),
                        "DO that leaves session state");
  }
  string_ = token.text;
  if (mentions_temporary_schema(token.text))
    leaves_session_state(session_state::unaskable, "temporary schema");
}

void StatementBody::open() {
  if (last_.keyword == Keyword::operator_ && skip_operator_name()) return note(TokenKind::op);
  Level inner = Level::plain;
  if (is_name(last_.kind)) {
    if (is_call()) judge_call(inner);
    if (last_.keyword == Keyword::on && before_last_.keyword == Keyword::distinct) inner = Level::distinct_on;
  }
  if (level_ == Level::cte_query) {
    level_ = Level::cte_done;
  } else if (level_ == Level::cte_name || level_ == Level::cte_done) {
    level_ = Level::plain;
  }
  if (depth_ < kLevels) levels_[depth_] = level_;
  ++depth_;
  level_ = inner;
  // What stands between further parentheses would be forgotten.
  if (depth_ >= kLevels && is_set_config(inner)) {
    calls_set_config_ = true;
    leaves_session_state(session_state::settings | session_state::role, kSetConfig);
  }
  note(TokenKind::open);
}

void StatementBody::close() {
  if (depth_ == 0) {
    refuse("unbalanced parentheses");
    return note(TokenKind::close);
  }
  const Level inner = level_;
  --depth_;
  level_ = depth_ < kLevels ? levels_[depth_] : Level::plain;
  if (is_set_config(inner)) {
    calls_set_config_ = true;
    // set_config(name, value, true) ends with the transaction.
    const bool local = last_.keyword == Keyword::true_ && before_last_.kind == TokenKind::comma;
    std::uint16_t bits = 0;
    if (inner != Level::set_config_role) bits |= session_state::settings;
    if (inner != Level::set_config) bits |= session_state::role;
    if (!local) leaves_session_state(bits, kSetConfig);
  }
  // Behind DISTINCT ON (…) an expression begins, as it does behind an operator.
  note(inner == Level::distinct_on ? TokenKind::op : TokenKind::close);
}

// Whether the name before the parenthesis may be a function's.
bool StatementBody::is_call() const {
  const Seen before = before_name_;
  if (before.kind == TokenKind::cast || before.keyword == Keyword::as) return false;
  if (level_ == Level::cte_columns || level_ == Level::cte_query) return false;
  // Where an operand has ended no other begins: an alias with its columns, a column with its type.
  const bool after_name =
      before.kind == TokenKind::quoted_word ||
      (before.kind == TokenKind::word && (before.keyword == Keyword::none || is_operand(before.keyword)));
  if (!qualified_ && depth_ + 1 < kLevels && (after_name || before.kind == TokenKind::close)) return false;
  return !is_keyword_before_parenthesis();
}

// Key words that are not reserved, where the grammar leaves no room for a call.
bool StatementBody::is_keyword_before_parenthesis() const {
  if (name_info_.never_function) return true;
  const Seen before = before_name_;
  switch (name_info_.keyword) {
    case Keyword::group_by:
    case Keyword::order_by:
      return true;
    case Keyword::first_or_next:
      return before.keyword == Keyword::fetch;
    case Keyword::rollup:
    case Keyword::cube:
      return before.keyword == Keyword::group_by;
    case Keyword::sets:
      return before.keyword == Keyword::grouping;
    case Keyword::join:
      return before.keyword == Keyword::join_type;
    case Keyword::infix:
      return before.kind == TokenKind::close_bracket || before.kind == TokenKind::string ||
             before.kind == TokenKind::number || before.kind == TokenKind::parameter;
    case Keyword::zone:
      return before.keyword == Keyword::time;
    case Keyword::varying:
      return before.keyword == Keyword::character;
    default:
      break;
  }
  return before.keyword == Keyword::tablesample &&
         (equals_folded(name_.text, "system") || equals_folded(name_.text, "bernoulli"));
}

void StatementBody::judge_call(Level& inner) {
  if (name_.kind == TokenKind::unicode_word) {
    // It may spell any name, also one that leaves something behind.
    leaves_session_state(session_state::unknown, kUnicodeName);
    return;
  }
  if (name_.not_simple || name_.text.size() > kMaxName) {
    refuse(kFunction);
    if (catalog_ != nullptr && (catalog_->outdated || !catalog_->routines.empty()))
      take_effects(routine_effect::state, kUnreadName);
    return;
  }
  FunctionKind kind = FunctionKind::unknown;
  if (name_.kind == TokenKind::word) {
    if (qualified_) scanner_.add_key(name_);
    kind = built_in_function(name_.text, name_.key);
  } else if (std::all_of(name_.text.begin(), name_.text.end(), is_lower_identifier_byte)) {
    kind = built_in_function(name_.text, WordKey::of(name_.text));
  }
  if (catalog_ != nullptr && (catalog_->outdated || !catalog_->routines.empty())) [[unlikely]]
    judge_routine(kind);
  switch (kind) {
    case FunctionKind::non_volatile:
    case FunctionKind::harmless:
      if (is_user_volatile()) refuse(kFunction);
      break;
    case FunctionKind::syntax:
      if (catalog_ == nullptr || catalog_->outdated || is_user_volatile()) refuse(kFunction);
      break;
    case FunctionKind::primary_only:
      refuse(kFunction);
      break;
    case FunctionKind::set_config:
      refuse(kSetConfig);
      inner = Level::set_config_any;
      break;
    case FunctionKind::setting:
      leaves_session_state(session_state::settings, kLeavesState);
      break;
    case FunctionKind::advisory_lock:
      leaves_session_state(session_state::advisory_lock, "advisory lock of the session");
      break;
    case FunctionKind::unaskable:
      leaves_session_state(session_state::unaskable, kLeavesState);
      break;
    case FunctionKind::ends_state:
      refuse("function that ends session state");
      ends_session_state();
      break;
    case FunctionKind::sequence_state:
      refuse("sequence value of the session");
      reads_sequence_state_ = true;
      break;
    case FunctionKind::unknown:
      // TREAT (x AS t) calls the built-in function that is named as the type (gram.y,
      // func_expr_common_subexpr).
      if (name_.kind == TokenKind::word && !qualified_ && equals_folded(name_.text, "treat"))
        return leaves_session_state(session_state::unknown | session_state::certain, kLeavesState);
      if (why_.empty() && (catalog_ == nullptr || !catalog_->is_safe(StoredName(name_).view())))
        refuse(kFunction);
      break;
  }
}

// What the body of the routine that is called may leave.
void StatementBody::judge_routine(FunctionKind kind) {
  const auto found = catalog_->routines.find(StoredName(name_).view());
  if (found != catalog_->routines.end()) return take_effects(found->second, kLeavesState);
  if (catalog_->outdated && kind == FunctionKind::unknown)
    take_effects(routine_effect::state, "function that was changed or never read");
}

void StatementBody::take_effects(std::uint8_t effects, std::string_view why) {
  if (effects == 0) return;
  std::uint16_t bits = session_state::unknown;
  if ((effects & routine_effect::state) != 0) bits |= session_state::certain;
  if ((effects & routine_effect::dynamic) != 0) bits |= session_state::suspected;
  if ((effects & routine_effect::unaskable) != 0) bits |= session_state::unaskable;
  if ((effects & routine_effect::nameless) != 0) bits |= session_state::nameless;
  leaves_session_state(bits, why);
}

// At UPDATE: pg_settings is a view whose rule calls set_config (manual, "pg_settings").
void StatementBody::target_of_update() {
  SqlScanner ahead = scanner_;
  for (Token token = ahead.next(); is_name(token.kind) || token.kind == TokenKind::dot;
       token = ahead.next()) {
    if (token.kind == TokenKind::word && keyword_info(token).keyword == Keyword::set) break;
    const bool is_view = token.kind == TokenKind::word ? equals_folded(token.text, "pg_settings")
                                                       : token.text == "pg_settings";
    if (is_view) return leaves_session_state(session_state::settings, "UPDATE of pg_settings");
  }
}

bool StatementBody::is_user_volatile() const {
  return catalog_ != nullptr && !catalog_->user_volatile.empty() &&
         catalog_->is_user_volatile(StoredName(name_).view());
}

// After OPERATOR and its parenthesis: skips `schema.+)`. Otherwise `operator` may be a function's name, and
// nothing is skipped.
bool StatementBody::skip_operator_name() {
  SqlScanner ahead = scanner_;
  Token token;
  do {
    token = ahead.next();
  } while (is_name(token.kind) || token.kind == TokenKind::dot);
  if (token.kind != TokenKind::op || ahead.next().kind != TokenKind::close) return false;
  scanner_ = ahead;
  return true;
}

}  // namespace tidemark::routing
