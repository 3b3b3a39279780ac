#include "routing/statement_body.hpp"

#include <algorithm>
#include <utility>

#include "routing/safe_functions.hpp"
#include "routing/word_table.hpp"

namespace tidemark::routing {
namespace {

// NAMEDATALEN - 1: longer names are cut by the server, so that they are not what they seem.
constexpr std::size_t kMaxName = 63;

constexpr bool is_name(TokenKind kind) {
  return kind == TokenKind::word || kind == TokenKind::quoted_word || kind == TokenKind::unicode_word;
}

constexpr bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}

constexpr bool begins_query(Keyword keyword) {
  return keyword == Keyword::select || keyword == Keyword::values || keyword == Keyword::table ||
         keyword == Keyword::with;
}

}  // namespace

Token StatementBody::run(Token first, bool one_group) {
  // Two places in turn: the token before the current one is still needed when a parenthesis follows it.
  Token second;
  Token* now = &first;
  Token* next = &second;
  while (!ends_at(*now, one_group)) {
    scanner_.next_into(*next);
    std::swap(now, next);
  }
  return *now;
}

bool StatementBody::ends_at(const Token& token, bool one_group) {
  if (!started_ && token.kind != TokenKind::open) {
    started_ = true;
    if (token.kind != TokenKind::word || !begins_query(keyword_info(token).keyword)) refuse("not a query");
  }
  Seen seen{token.kind, Keyword::none};
  switch (token.kind) {
    case TokenKind::end:
      if (depth_ != 0) refuse("unbalanced parentheses");
      return true;
    case TokenKind::semicolon:
      if (depth_ == 0 && atomic_ == 0) return true;
      refuse("semicolon inside of a statement");
      break;
    case TokenKind::open:
      if (last_.keyword == Keyword::operator_ && skip_operator_name()) {
        seen.kind = TokenKind::op;
      } else {
        open();
      }
      break;
    case TokenKind::close:
      close();
      if (one_group && depth_ == 0) return true;
      break;
    case TokenKind::word:
      word(token);
      seen.keyword = name_info_.keyword;
      break;
    case TokenKind::quoted_word:
    case TokenKind::unicode_word:
      name(token, KeywordInfo{});
      break;
    default:
      break;
  }
  if (depth_ < kLevels && levels_[depth_] != Level::plain && token.kind != TokenKind::open &&
      token.kind != TokenKind::close) {
    step_level(token.kind, seen.keyword);
  }
  before_last_ = last_;
  last_ = seen;
  return false;
}

void StatementBody::name(const Token& token, KeywordInfo info) {
  if (names_temporary_schema(token)) leaves_session_state("temporary schema");
  if (last_.kind != TokenKind::dot || !is_name(before_last_.kind)) before_name_ = last_;
  name_ = &token;
  name_info_ = info;
}

void StatementBody::word(const Token& token) {
  KeywordInfo info = keyword_info(token);
  if (last_.kind == TokenKind::dot) {
    // After a dot any key word is a plain name.
    name(token, KeywordInfo{});
    return;
  }
  if (info.keyword == Keyword::by) {
    if (last_.keyword == Keyword::group) info.keyword = Keyword::group_by;
    if (last_.keyword == Keyword::order || last_.keyword == Keyword::partition)
      info.keyword = Keyword::order_by;
  }
  if (info.keyword != Keyword::none) keyword(info.keyword);
  if (first_ == Keyword::create || first_ == Keyword::alter || first_ == Keyword::drop)
    definition_word(token);
  name(token, info);
}

void StatementBody::keyword(Keyword keyword) {
  switch (keyword) {
    case Keyword::update:
      refuse(last_.keyword == Keyword::for_ ? "FOR UPDATE" : "UPDATE");
      break;
    case Keyword::insert:
      refuse("INSERT");
      break;
    case Keyword::delete_:
      refuse("DELETE");
      break;
    case Keyword::merge:
      refuse("MERGE");
      break;
    case Keyword::into:
      refuse("INTO");
      break;
    case Keyword::no:
    case Keyword::share:
    case Keyword::key:
      if (last_.keyword == Keyword::for_) refuse("FOR SHARE and kin");
      break;
    case Keyword::uescape:
      refuse("UESCAPE");
      break;
    case Keyword::temporary:
      if (makes_temporary()) leaves_session_state("temporary relation");
      break;
    case Keyword::hold:
      if (first_ == Keyword::declare && last_.keyword == Keyword::with) leaves_session_state("WITH HOLD");
      break;
    case Keyword::execute:
      if (first_ == Keyword::explain || last_.keyword == Keyword::as)
        leaves_session_state("prepared statement");
      break;
    case Keyword::atomic:
      if (first_ == Keyword::create && last_.keyword == Keyword::begin) atomic_ = 1;
      break;
    case Keyword::case_:
      if (atomic_ != 0) ++atomic_;
      break;
    case Keyword::end:
      if (atomic_ != 0) --atomic_;
      break;
    case Keyword::with:
      if ((last_.kind == TokenKind::open || last_.kind == TokenKind::end) && depth_ < kLevels) {
        levels_[depth_] = Level::cte_name;
      }
      break;
    default:
      break;
  }
}

// At TEMP or TEMPORARY: CREATE [OR REPLACE] [LOCAL | GLOBAL] TEMP …, or SELECT … INTO TEMP …
bool StatementBody::makes_temporary() const {
  switch (last_.keyword) {
    case Keyword::create:
    case Keyword::replace:
    case Keyword::local:
    case Keyword::global:
      return true;
    case Keyword::into:
      return before_last_.keyword != Keyword::insert && before_last_.keyword != Keyword::merge;
    default:
      return false;
  }
}

// CREATE [OR REPLACE] FUNCTION and the like: the kind of object is among the first words.
void StatementBody::definition_word(const Token& token) {
  if (words_ >= 4) return;
  ++words_;
  for (const std::string_view kind : {"function", "procedure", "routine", "aggregate", "extension"}) {
    if (equals_folded(token.text, kind)) changes_functions_ = true;
  }
}

// The list of WITH, which is the one place where `name (…)` after a comma is not a call.
void StatementBody::step_level(TokenKind kind, Keyword keyword) {
  Level& level = levels_[depth_];
  switch (level) {
    case Level::cte_name:
      if (keyword == Keyword::with || (keyword == Keyword::recursive && last_.keyword == Keyword::with))
        return;
      level = is_name(kind) ? Level::cte_columns : Level::plain;
      break;
    case Level::cte_columns:
      level = keyword == Keyword::as ? Level::cte_query : Level::plain;
      break;
    case Level::cte_query:
      if (keyword != Keyword::not_ && keyword != Keyword::materialized) level = Level::plain;
      break;
    case Level::cte_done:
      level = kind == TokenKind::comma ? Level::cte_name : Level::plain;
      break;
    case Level::plain:
    case Level::set_config:
      break;
  }
}

void StatementBody::open() {
  Level inner = Level::plain;
  if (is_name(last_.kind) && is_call()) judge_call(inner);
  if (depth_ < kLevels) {
    Level& level = levels_[depth_];
    if (level == Level::cte_query) {
      level = Level::cte_done;
    } else if (level == Level::cte_name || level == Level::cte_done) {
      level = Level::plain;
    }
  }
  ++depth_;
  if (depth_ < kLevels) {
    levels_[depth_] = inner;
  } else if (inner == Level::set_config) {
    leaves_session_state("set_config");
  }
}

void StatementBody::close() {
  if (depth_ == 0) {
    refuse("unbalanced parentheses");
    return;
  }
  if (depth_ < kLevels && levels_[depth_] == Level::set_config) {
    // set_config(name, value, true) ends with the transaction.
    const bool local = last_.keyword == Keyword::true_ && before_last_.kind == TokenKind::comma;
    if (!local) leaves_session_state("set_config");
  }
  --depth_;
}

// Whether the name before the parenthesis may be a function's.
bool StatementBody::is_call() const {
  if (before_name_.kind == TokenKind::cast || before_name_.keyword == Keyword::as) return false;
  if (depth_ < kLevels && (levels_[depth_] == Level::cte_columns || levels_[depth_] == Level::cte_query)) {
    return false;
  }
  return !is_keyword_before_parenthesis();
}

// Key words that are not reserved, where the grammar leaves no room for a call.
bool StatementBody::is_keyword_before_parenthesis() const {
  if (name_info_.never_function) return true;
  const Seen before = before_name_;
  const bool after_plain_name = before.kind == TokenKind::quoted_word ||
                                (before.kind == TokenKind::word && before.keyword == Keyword::none);
  const bool after_operand = after_plain_name || before.kind == TokenKind::close ||
                             before.kind == TokenKind::close_bracket || before.kind == TokenKind::string ||
                             before.kind == TokenKind::number || before.kind == TokenKind::parameter;
  switch (name_info_.keyword) {
    case Keyword::group_by:
    case Keyword::order_by:
      return true;
    case Keyword::over:
    case Keyword::filter:
    case Keyword::repeatable:
      return before.kind == TokenKind::close;
    case Keyword::rollup:
    case Keyword::cube:
      return before.keyword == Keyword::group_by;
    case Keyword::sets:
      return before.keyword == Keyword::grouping;
    case Keyword::join:
      return after_plain_name || before.kind == TokenKind::close || before.keyword == Keyword::join_type;
    case Keyword::infix:
      return after_operand;
    case Keyword::zone:
      return before.keyword == Keyword::time;
    case Keyword::varying:
      return before.keyword == Keyword::character;
    default:
      break;
  }
  return before.keyword == Keyword::tablesample &&
         (equals_folded(name_->text, "system") || equals_folded(name_->text, "bernoulli"));
}

void StatementBody::judge_call(Level& inner) {
  constexpr std::string_view kReason = "volatile or unknown function";
  if (name_->kind == TokenKind::unicode_word) {
    // It may spell any name, also one that leaves something behind.
    leaves_session_state(kReason);
    return;
  }
  if (name_->not_simple || name_->text.size() > kMaxName) {
    refuse(kReason);
    return;
  }
  FunctionKind kind = FunctionKind::unknown;
  if (name_->kind == TokenKind::word) {
    kind = built_in_function(name_->text, name_->hash);
  } else if (std::none_of(name_->text.begin(), name_->text.end(), is_upper)) {
    kind = built_in_function(name_->text, WordHash::of(name_->text));
  }
  switch (kind) {
    case FunctionKind::non_volatile:
    case FunctionKind::harmless:
      break;
    case FunctionKind::primary_only:
      refuse(kReason);
      break;
    case FunctionKind::session_state:
      if (equals_folded(name_->text, "set_config")) {
        refuse("set_config");
        inner = Level::set_config;
      } else {
        leaves_session_state("function that leaves session state");
      }
      break;
    case FunctionKind::unknown:
      if (why_.empty() && !catalog_knows()) refuse(kReason);
      break;
  }
}

bool StatementBody::catalog_knows() const {
  if (catalog_ == nullptr) return false;
  if (name_->kind == TokenKind::quoted_word) return catalog_->is_safe(name_->text);
  std::array<char, kMaxName> folded{};
  std::transform(name_->text.begin(), name_->text.end(), folded.begin(), ascii_lower);
  return catalog_->is_safe({folded.data(), name_->text.size()});
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
