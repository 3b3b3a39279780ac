#include "routing/statement_body.hpp"

#include "routing/word_table.hpp"

namespace tidemark::routing {
namespace {

constexpr bool begins_query(Keyword keyword) {
  return keyword == Keyword::select || keyword == Keyword::values || keyword == Keyword::table ||
         keyword == Keyword::with;
}

}  // namespace

[[gnu::always_inline]] inline void StatementBody::seen(TokenKind kind, Keyword keyword) {
  if (level_ != Level::plain) step_level(kind, keyword);
  note(kind, keyword);
}

// At name_.
[[gnu::always_inline]] inline void StatementBody::name(KeywordInfo info) {
  qualified_ = last_.kind == TokenKind::dot;
  if (!qualified_) {
    // NOT belongs to the operator that follows it, if an operand stands before it.
    const bool negated = info.keyword == Keyword::infix && last_.keyword == Keyword::not_;
    before_name_ = negated ? before_last_ : last_;
  } else if (!is_name(before_last_.kind)) {
    before_name_ = last_;
  }
  name_info_ = info;
}

[[gnu::always_inline]] inline void StatementBody::word() {
  KeywordInfo info;
  // After a dot any key word is a plain name.
  if (last_.kind != TokenKind::dot) {
    scanner_.add_key(name_);
    info = keyword_info(name_);
    if (info.keyword != Keyword::none) {
      if (info.keyword == Keyword::by) {
        if (last_.keyword == Keyword::group) info.keyword = Keyword::group_by;
        if (last_.keyword == Keyword::order || last_.keyword == Keyword::partition)
          info.keyword = Keyword::order_by;
      }
      if (info.keyword >= Keyword::abort) keyword(info.keyword);
    } else if (may_tell_of_node(name_.key)) [[unlikely]] {
      judge_node_name();
    }
    if (!why_.empty()) {
      // Not only before a dot: SET search_path, IMPORT … INTO.
      if (names_temporary_schema(name_)) temporary_schema();
      if (defines_) definition_word();
    }
  } else if (may_tell_of_node(name_.text)) [[unlikely]] {
    judge_node_name();
  }
  name(info);
  seen(TokenKind::word, info.keyword);
}

inline void StatementBody::comma() {
  if (last_.kind == TokenKind::number && level_ == Level::plain) scanner_.skip_numbers();
  seen(TokenKind::comma);
}

inline void StatementBody::dot() {
  if (is_name(last_.kind)) {
    if (qualified_ && name_.kind == TokenKind::word) scanner_.add_key(name_);
    if (names_temporary_schema(name_)) temporary_schema();
    // It may spell pg_temp.
    if (last_.kind == TokenKind::unicode_word) leaves_session_state(session_state::unknown, kUnicodeName);
  }
  seen(TokenKind::dot);
}

void StatementBody::temporary_schema() {
  // In a search_path it is where later statements create, without a word that tells.
  leaves_session_state(first_ == Keyword::set ? session_state::unaskable : session_state::temporary,
                       "temporary schema");
}

TokenKind StatementBody::run(const Token& first, bool one_group) {
  one_group_ = one_group;
  name_ = first;
  const bool ended = ends_at(first);
  begin(first);
  return ended ? first.kind : run_on();
}

TokenKind StatementBody::run_query() {
  name_.kind = TokenKind::word;
  name_info_ = {first_, true};
  last_ = {TokenKind::word, first_};
  if (first_ == Keyword::with) level_ = Level::cte_name;
  return run_on();
}

TokenKind StatementBody::run_on() {
  Token token;
  do {
    const TokenKind end = take_common_tokens();
    if (end != TokenKind::other) return end;
    scanner_.take(token);
    if (token.kind == TokenKind::word) name_ = token;
  } while (!ends_at(token));
  return token.kind;
}

// At the statement's first token, which was taken.
void StatementBody::begin(const Token& first) {
  Keyword keyword = name_info_.keyword;
  if (first.kind == TokenKind::open) {
    SqlScanner ahead = scanner_;
    Token token = ahead.next();
    while (token.kind == TokenKind::open) token = ahead.next();
    if (token.kind == TokenKind::word) keyword = keyword_info(token).keyword;
  }
  if (!begins_query(keyword)) refuse("not a query");
}

// Takes tokens of the commonest kinds, with no more work than each of them needs. Returns at what the
// statement ended, or `other` before a token that ends_at() must see.
TokenKind StatementBody::take_common_tokens() {
  for (;;) {
    switch (scanner_.peek()) {
      case ByteClass::prefix:
        if (scanner_.at_prefix()) return TokenKind::other;
        [[fallthrough]];
      case ByteClass::letter:
        scanner_.take_word(name_);
        word();
        break;
      case ByteClass::digit:
        if (!scanner_.take_integer()) return TokenKind::other;
        seen(TokenKind::number);
        break;
      case ByteClass::dot:
        if (scanner_.at_fraction()) return TokenKind::other;
        scanner_.pass();
        dot();
        break;
      case ByteClass::comma:
        scanner_.pass();
        comma();
        break;
      case ByteClass::op:
        if (!scanner_.at_short_operator()) return TokenKind::other;
        scanner_.pass();
        seen(TokenKind::op);
        break;
      case ByteClass::open:
        scanner_.pass();
        open();
        break;
      case ByteClass::close:
        scanner_.pass();
        close();
        if (one_group_ && depth_ == 0) return TokenKind::close;
        break;
      case ByteClass::semicolon:
        if (depth_ != 0 || atomic_ != 0) return TokenKind::other;
        scanner_.pass();
        return TokenKind::semicolon;
      default:
        return TokenKind::other;
    }
  }
}

// Takes any token; true where the statement ends.
bool StatementBody::ends_at(const Token& token) {
  switch (token.kind) {
    case TokenKind::end:
      if (depth_ != 0) refuse("unbalanced parentheses");
      return true;
    case TokenKind::semicolon:
      if (depth_ == 0 && atomic_ == 0) return true;
      refuse("semicolon inside of a statement");
      seen(token.kind);
      break;
    case TokenKind::open:
      open();
      break;
    case TokenKind::close:
      close();
      return one_group_ && depth_ == 0;
    case TokenKind::word:
      word();
      break;
    case TokenKind::quoted_word:
    case TokenKind::unicode_word:
      name_ = token;
      if (!why_.empty() && names_temporary_schema(name_)) temporary_schema();
      if (may_tell_of_node(name_.text)) judge_node_name();
      name(KeywordInfo{});
      seen(token.kind);
      break;
    case TokenKind::comma:
      comma();
      break;
    case TokenKind::dot:
      dot();
      break;
    case TokenKind::string:
      if (first_ == Keyword::set || first_ == Keyword::do_ || is_set_config(level_)) string(token);
      seen(token.kind);
      break;
    default:
      seen(token.kind);
      break;
  }
  return false;
}

// Before a parenthesis last_value is the window function; behind AS it is what somebody calls a column.
void StatementBody::judge_node_name() {
  if (last_.keyword == Keyword::as || !tells_of_node(name_.text)) return;
  if (equals_folded(name_.text, "last_value") && scanner_.peek() == ByteClass::open) return;
  needs_primary();
}

void StatementBody::keyword(Keyword keyword) {
  switch (keyword) {
    case Keyword::update:
      if (is_data_change()) {
        refuse(last_.keyword == Keyword::for_ ? "FOR UPDATE" : "UPDATE");
        if (last_.keyword != Keyword::for_) target_of_update();
      }
      break;
    case Keyword::insert:
      if (is_data_change()) refuse("INSERT");
      break;
    case Keyword::delete_:
      if (is_data_change()) refuse("DELETE");
      break;
    case Keyword::merge:
      if (is_data_change()) refuse("MERGE");
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
      if (makes_temporary()) leaves_session_state(session_state::temporary, "temporary relation");
      break;
    case Keyword::hold:
      if (first_ == Keyword::declare && last_.keyword == Keyword::with)
        leaves_session_state(session_state::held_cursor, "WITH HOLD");
      break;
    case Keyword::execute:
      if (first_ == Keyword::explain || last_.keyword == Keyword::as)
        leaves_session_state(session_state::unknown, "prepared statement");
      break;
    case Keyword::node_column:
      judge_node_name();
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
      if (last_.kind == TokenKind::open || last_.kind == TokenKind::end) level_ = Level::cte_name;
      break;
    default:
      break;
  }
}

// At INSERT, UPDATE, DELETE or MERGE, which are not reserved: behind these only a name can stand.
bool StatementBody::is_data_change() const {
  switch (last_.kind) {
    case TokenKind::close_bracket:
    case TokenKind::comma:
    case TokenKind::number:
    case TokenKind::op:
    case TokenKind::parameter:
    case TokenKind::string:
      return false;
    case TokenKind::word:
      break;
    default:
      return true;
  }
  switch (last_.keyword) {
    case Keyword::as:
    case Keyword::distinct:
    case Keyword::not_:
    case Keyword::select:
      return false;
    default:
      return true;
  }
}

// At TEMP or TEMPORARY: CREATE [OR REPLACE] [LOCAL | GLOBAL] TEMP …, or SELECT … INTO TEMP …
bool StatementBody::makes_temporary() const {
  switch (last_.keyword) {
    case Keyword::create:
    case Keyword::replace:
    case Keyword::local:
    case Keyword::global:
    case Keyword::into:
      return true;
    default:
      return false;
  }
}

// CREATE [OR REPLACE] FUNCTION and the like, and what may run functions: the kind of object is among the
// first words.
void StatementBody::definition_word() {
  if (words_ >= 4) return;
  ++words_;
  for (const std::string_view kind :
       {"function", "procedure", "routine", "aggregate", "extension", "trigger", "rule", "view", "policy"}) {
    if (equals_folded(name_.text, kind)) changes_functions_ = true;
  }
}

// The list of WITH, which is the one place where `name (…)` after a comma is not a call; and set_config().
void StatementBody::step_level(TokenKind kind, Keyword keyword) {
  switch (level_) {
    case Level::cte_name:
      if (keyword == Keyword::with || (keyword == Keyword::recursive && last_.keyword == Keyword::with))
        return;
      level_ = is_name(kind) ? Level::cte_columns : Level::plain;
      break;
    case Level::cte_columns:
      level_ = keyword == Keyword::as ? Level::cte_query : Level::plain;
      break;
    case Level::cte_query:
      if (keyword != Keyword::not_ && keyword != Keyword::materialized) level_ = Level::plain;
      break;
    case Level::cte_done:
      level_ = kind == TokenKind::comma ? Level::cte_name : Level::plain;
      break;
    case Level::set_config_any:
      if (kind == TokenKind::comma && last_.kind == TokenKind::string && before_last_.kind == TokenKind::open)
        name_setting();
      break;
    default:
      break;
  }
}

}  // namespace tidemark::routing
