#include "routing/statement_relations.hpp"

#include <utility>

#include "routing/word_table.hpp"

namespace tidemark::routing {

/// Key words that say where relations stand and where they do not.
enum class StatementRelations::Role : std::uint8_t {
  none,
  prefix,  ///< TEMPORARY and the like before the name of a relation
  // Those that may be the name of a relation, too, where one is expected.
  update,
  copy,
  delete_,
  merge,
  values,
  key,
  do_,
  // Reserved words.
  from,
  join,
  into,
  using_,
  only,
  lateral,
  table,
  select,
  with,
  for_,
  on,
  is_or_not,
  distinct,
  end_of_list,  ///< what follows a FROM list
};

namespace {

constexpr std::size_t kLongestName = 63;  // NAMEDATALEN - 1, as PostgreSQL is built by default

}  // namespace

StatementRelations::Role StatementRelations::role_of(const Token& word) {
  using Words = std::array<std::pair<std::string_view, Role>, 39>;
  static constexpr WordTable<Role, 128> kTable(Words{{
      {"temp", Role::prefix},
      {"temporary", Role::prefix},
      {"local", Role::prefix},
      {"global", Role::prefix},
      {"unlogged", Role::prefix},
      {"binary", Role::prefix},
      {"update", Role::update},
      {"copy", Role::copy},
      {"delete", Role::delete_},
      {"merge", Role::merge},
      {"values", Role::values},
      {"key", Role::key},
      {"do", Role::do_},
      {"from", Role::from},
      {"join", Role::join},
      {"into", Role::into},
      {"using", Role::using_},
      {"only", Role::only},
      {"lateral", Role::lateral},
      {"table", Role::table},
      {"select", Role::select},
      {"with", Role::with},
      {"for", Role::for_},
      {"on", Role::on},
      {"is", Role::is_or_not},
      {"not", Role::is_or_not},
      {"distinct", Role::distinct},
      {"where", Role::end_of_list},
      {"group", Role::end_of_list},
      {"having", Role::end_of_list},
      {"window", Role::end_of_list},
      {"order", Role::end_of_list},
      {"limit", Role::end_of_list},
      {"offset", Role::end_of_list},
      {"fetch", Role::end_of_list},
      {"union", Role::end_of_list},
      {"intersect", Role::end_of_list},
      {"except", Role::end_of_list},
      {"returning", Role::end_of_list},
  }});
  return kTable.find(word.key, word.text, Role::none);
}

bool StatementRelations::may_be_name(Role role) {
  return role < Role::from;
}

Token StatementRelations::take() {
  if (!ahead_) return scanner_.next();
  const Token token = *ahead_;
  ahead_.reset();
  return token;
}

const Token& StatementRelations::peek() {
  if (!ahead_) ahead_ = scanner_.next();
  return *ahead_;
}

std::optional<RelationName> StatementRelations::next() {
  for (;;) {
    const Token token = take();
    const bool after_dot = std::exchange(after_dot_, token.kind == TokenKind::dot);
    const bool first = std::exchange(first_of_statement_, false);
    if (is_name(token.kind)) {
      // Behind a dot every word is a name.
      Role role = token.kind == TokenKind::word && !after_dot ? role_of(token) : Role::none;
      if (role == Role::copy && !first) role = Role::none;
      if (expect_ != Expect::none && may_be_name(role)) {
        // COPY (DELETE FROM …), or a relation of that name.
        if (role == Role::delete_) add(kQuery | kDelete);
        if (auto relation = name(token)) return relation;
      } else {
        keyword(role);
        before_last_ = std::exchange(last_, role);
      }
      continue;
    }
    before_last_ = std::exchange(last_, Role::none);
    switch (token.kind) {
      case TokenKind::open:
        open(expect_ == Expect::none ? std::uint8_t{0} : kFromList);
        break;
      case TokenKind::open_bracket:
        open(0);
        expect_ = Expect::none;
        break;
      case TokenKind::close:
      case TokenKind::close_bracket:
        close();
        break;
      case TokenKind::comma:
        expect_ = has(kFromList) ? Expect::source : Expect::none;
        break;
      case TokenKind::semicolon:
        begin_statement();
        break;
      case TokenKind::end:
        if (second_pass_ || !scanner_.backslash_matters()) return std::nullopt;
        // Servers that take backslashes the other way see other tokens.
        scanner_ = SqlScanner(sql_, Backslashes::escape);
        second_pass_ = true;
        depth_ = 0;
        begin_statement();
        break;
      default:
        expect_ = Expect::none;
        break;
    }
  }
}

void StatementRelations::begin_statement() {
  // Inside of parentheses (CREATE RULE … DO (…; …)) a statement may begin likewise.
  level_ = is_deep() ? kAll : kQuery;
  expect_ = Expect::none;
  first_of_statement_ = true;
}

void StatementRelations::open(std::uint8_t level) {
  if (!is_deep()) levels_[depth_] = level_;
  ++depth_;
  level_ = is_deep() ? kAll : level;
}

void StatementRelations::close() {
  expect_ = Expect::none;
  if (depth_ == 0) return;
  --depth_;
  level_ = is_deep() ? kAll : levels_[depth_];
}

void StatementRelations::begin_from_list() {
  expect_ = Expect::source;
  add(kFromList);
}

void StatementRelations::keyword(Role role) {
  switch (role) {
    case Role::from:
      // IS DISTINCT FROM; extract(year FROM …), substring(… FROM 2), which are no queries.
      if (last_ == Role::distinct && before_last_ == Role::is_or_not) break;
      if (has(kQuery)) return begin_from_list();
      break;
    case Role::join:
      expect_ = Expect::source;
      return;
    case Role::using_:
      if (has(kDelete)) return begin_from_list();
      // Of a join: a list of columns.
      expect_ = peek().kind == TokenKind::open ? Expect::none : Expect::source;
      return;
    case Role::lateral:
      return;
    case Role::only:
    case Role::into:
      expect_ = Expect::relation;
      return;
    case Role::table:
      add(kQuery);
      expect_ = Expect::relation;
      return;
    case Role::update:
      add(kQuery);
      // FOR UPDATE, FOR NO KEY UPDATE, ON CONFLICT DO UPDATE, ON UPDATE CASCADE.
      if (last_ == Role::for_ || last_ == Role::key || last_ == Role::do_ || last_ == Role::on) break;
      expect_ = Expect::relation;
      return;
    case Role::copy:
      expect_ = Expect::relation;
      return;
    case Role::delete_:
    case Role::merge:
      add(kQuery | kDelete);
      break;
    case Role::select:
      remove(kFromList);
      add(kQuery);
      break;
    case Role::end_of_list:
      remove(kFromList);
      break;
    default:
      break;
  }
  expect_ = Expect::none;
}

// [database .] [schema .] name
std::optional<RelationName> StatementRelations::name(Token part) {
  RelationName relation;
  bool qualified = false;
  const auto use = [&] {
    relation.name = part.text;
    relation.name_is_quoted = part.kind != TokenKind::word;
    relation.unclear = part.kind == TokenKind::unicode_word || part.text.size() > kLongestName;
  };
  const Role role = part.kind == TokenKind::word ? role_of(part) : Role::none;
  use();
  while (peek().kind == TokenKind::dot) {
    (void)take();
    if (!is_name(peek().kind)) break;
    qualified = true;
    relation.schema = relation.name;
    relation.schema_is_quoted = relation.name_is_quoted;
    // A schema that is not clear may be any, as that of a name without one.
    if (relation.unclear) relation.schema = {};
    part = take();
    use();
  }
  const bool is_call = expect_ == Expect::source && peek().kind == TokenKind::open;
  // INTO TEMPORARY x, COPY BINARY x, COPY (UPDATE x …): this one, or the next.
  const bool may_be_next =
      !qualified && expect_ == Expect::relation && (role == Role::prefix || role == Role::update);
  if (!may_be_next) expect_ = Expect::none;
  last_ = before_last_ = Role::none;
  if (!is_call) return relation;
  if (role == Role::values && !qualified) remove(kFromList);  // FROM (VALUES (1), (2))
  return std::nullopt;
}

std::string to_string(const RelationName& relation) {
  std::string text;
  const auto add = [&text](std::string_view part, bool quoted) {
    for (std::size_t i = 0; i < part.size(); ++i) {
      text += quoted ? part[i] : ascii_lower(part[i]);
      if (quoted && part[i] == '"') ++i;
    }
  };
  if (!relation.schema.empty()) {
    add(relation.schema, relation.schema_is_quoted);
    text += '.';
  }
  add(relation.name, relation.name_is_quoted);
  return text;
}

}  // namespace tidemark::routing
