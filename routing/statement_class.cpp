#include "routing/statement_class.hpp"

#include "routing/routine_body.hpp"
#include "routing/sql_keywords.hpp"
#include "routing/sql_scanner.hpp"
#include "routing/statement_body.hpp"
#include "routing/statement_classifier.hpp"

namespace tidemark::routing {
namespace {

constexpr std::string_view kOfNode = "what each node has of its own";
constexpr std::string_view kTwoReadings = "text that may be read in more than one way";

}  // namespace

void Classifier::advance() {
  switch (scanner_.peek()) {
    case ByteClass::letter:
      scanner_.take_word(now_);
      scanner_.add_key(now_);
      break;
    case ByteClass::end:
      now_.kind = TokenKind::end;
      break;
    default:
      now_ = scanner_.next();
      break;
  }
}

Classification Classifier::run() {
  Classification all;
  all.statement = Class::empty;
  bool control = false;
  for (;;) {
    advance();
    if (now_.kind == TokenKind::semicolon) continue;
    if (now_.kind == TokenKind::end) break;
    const bool hidden = catalog_ != nullptr && (catalog_->outdated || catalog_->definition_effects != 0);
    const Keyword first = hidden ? now_keyword() : Keyword::none;
    Classification one = statement();
    if (hidden) [[unlikely]]
      add_hidden_effects(first, one);
    control = control || one.statement == Class::begin || one.statement == Class::begin_read_only ||
              one.statement == Class::end;
    if (all.statement == Class::empty && !all.several) {
      all = one;
    } else {
      const bool reads = all.statement == Class::read && one.statement == Class::read;
      const std::string_view why = all.why.empty() ? one.why : all.why;
      all.statement = reads ? Class::read : Class::write;
      all.session_state = static_cast<std::uint16_t>(all.session_state | one.session_state);
      all.ends_session_state = all.ends_session_state || one.ends_session_state;
      all.only_settings = all.only_settings && one.only_settings;
      all.reads_sequence_state = all.reads_sequence_state || one.reads_sequence_state;
      all.sets_locally = all.sets_locally || one.sets_locally;
      all.for_primary = all.for_primary || one.for_primary;
      all.several = true;
      all.may_commit = all.may_commit || one.may_commit || control;
      all.is_commit = false;
      all.changes_functions = all.changes_functions || one.changes_functions;
      all.why = why;
    }
    if (now_.kind == TokenKind::end) break;
  }
  if (scanner_.doubtful()) {
    // Servers may see other tokens here, and so more statements than these.
    all.statement = Class::write;
    all.session_state |= session_state::unknown;
    all.ends_session_state = true;
    all.may_commit = true;
    all.is_commit = false;
    all.only_settings = false;
    all.why = kTwoReadings;
  } else if (scanner_.refused()) {
    all.statement = Class::write;
    all.is_commit = false;
    all.only_settings = false;
    all.why = "text that is not SQL";
  }
  all.leaves_session_state = all.session_state != 0;
  if (all.leaves_session_state) all.statement = Class::session_state;
  return all;
}

// What triggers may leave: those of a table while it is not known which do, and event triggers.
void Classifier::add_hidden_effects(Keyword first, Classification& one) const {
  if (one.statement != Class::write) return;
  const bool changes_data = first == Keyword::insert || first == Keyword::update ||
                            first == Keyword::delete_ || first == Keyword::merge;
  std::uint8_t effects = changes_data ? std::uint8_t{0} : catalog_->definition_effects;
  if (catalog_->outdated) effects |= routine_effect::state;
  add_effects(effects, one);
}

void Classifier::add_effects(std::uint8_t effects, Classification& one) {
  if (effects == 0) return;
  SqlScanner nothing{std::string_view{}};
  StatementBody body(nothing, nullptr, Keyword::none);
  body.take_effects(effects, "trigger or view that may leave session state");
  one.session_state = static_cast<std::uint16_t>(one.session_state | body.session_state());
  one.ends_session_state = true;
  one.only_settings = false;
  one.why = body.session_why();
}

Classification Classifier::of(const StatementBody& body, Class known, std::string_view why) {
  Classification result;
  result.statement = known;
  result.why = why;
  result.changes_functions = body.changes_functions();
  result.session_state = body.session_state();
  result.ends_session_state = body.may_end_session_state();
  result.reads_sequence_state = body.reads_sequence_state();
  result.sets_locally = body.calls_set_config();
  result.for_primary = body.is_for_primary();
  if (result.for_primary && why.empty()) result.why = kOfNode;
  if (result.session_state != 0) {
    result.statement = Class::session_state;
    result.why = body.session_why();
  }
  return result;
}

// A statement that is no read whatever it holds; its text is walked for what it leaves in the session.
Classification Classifier::other(Keyword first, Class known, std::string_view why) {
  StatementBody body(scanner_, catalog_, first);
  body.refuse(why.empty() ? "not a query" : why);
  now_.kind = body.run(now_);
  return of(body, known, why);
}

// A statement whose very kind leaves these (session_state bits).
Classification Classifier::leaves(Keyword first, std::uint16_t bits, std::string_view why) {
  StatementBody body(scanner_, catalog_, first);
  body.leaves_session_state(bits, why);
  now_.kind = body.run(now_);
  return of(body, Class::session_state, why);
}

Classification Classifier::ends(Keyword first, std::string_view why) {
  Classification result = other(first, Class::write, why);
  result.ends_session_state = true;
  return result;
}

Classification Classifier::query(Keyword first) {
  StatementBody body(scanner_, catalog_, first);
  now_.kind = first == Keyword::none ? body.run(now_) : body.run_query();
  return of(body, body.why().empty() ? Class::read : Class::write, body.why());
}

Classification Classifier::statement() {
  const Keyword first = now_keyword();
  switch (first) {
    case Keyword::select:
    case Keyword::values:
    case Keyword::table:
    case Keyword::with:
      return query(first);
    case Keyword::begin:
      advance();
      return begin(false);
    case Keyword::start:
      advance();
      return begin(true);
    case Keyword::commit:
    case Keyword::end:
      advance();
      return commit_or_rollback(true);
    case Keyword::rollback:
    case Keyword::abort:
      advance();
      return commit_or_rollback(false);
    case Keyword::savepoint:
    case Keyword::release:
      return other(first, Class::transaction_local, "savepoint");
    case Keyword::set:
      advance();
      return set();
    case Keyword::reset:
      advance();
      return reset();
    case Keyword::discard:
      advance();
      return discard();
    case Keyword::listen:
      return leaves(first, session_state::listen, "LISTEN");
    case Keyword::load:
      return leaves(first, session_state::unaskable, "LOAD");
    case Keyword::execute:
      return leaves(first, session_state::unknown, "prepared statement");
    case Keyword::close:
    case Keyword::deallocate:
    case Keyword::unlisten:
      return ends(first, "end of session state");
    case Keyword::drop:
      return ends(first, "not a query");
    case Keyword::prepare:
      advance();
      return prepare();
    case Keyword::show:
      advance();
      return show();
    case Keyword::copy:
      advance();
      return copy();
    case Keyword::explain:
      advance();
      return explain();
    case Keyword::call:
    case Keyword::do_: {
      Classification result = leaves(first, session_state::unknown, "CALL or DO");
      result.may_commit = true;
      return result;
    }
    default:
      if (now_.kind == TokenKind::open) return query(Keyword::none);
      return other(first, Class::write, "not a query");
  }
}

Classification Classifier::show() {
  // These two differ between the nodes of a cluster.
  const bool role = at("transaction_read_only") || at("in_hot_standby");
  const bool named = now_.kind == TokenKind::word;
  while (now_.kind == TokenKind::word || now_.kind == TokenKind::dot) advance();
  const bool read = named && !role && at_end();
  return other(Keyword::show, read ? Class::read : Class::write,
               read ? std::string_view{} : "SHOW of a node's state");
}

// name[.name …] [(columns)]
bool Classifier::take_copy_table(StatementBody& source) {
  const auto take_name = [this, &source] {
    if (names_temporary_schema(now_))
      source.leaves_session_state(session_state::temporary, "temporary schema");
    if (now_.kind != TokenKind::word && now_.kind != TokenKind::quoted_word) return false;
    advance();
    return true;
  };
  if (!take_name()) return false;
  while (now_.kind == TokenKind::dot) {
    advance();
    if (!take_name()) return false;
  }
  if (now_.kind != TokenKind::open) return true;
  do {
    advance();
    if (!take_name()) return false;
  } while (now_.kind == TokenKind::comma);
  if (now_.kind != TokenKind::close) return false;
  advance();
  return true;
}

// COPY (query) TO STDOUT …, COPY table [(columns)] TO STDOUT …
Classification Classifier::copy() {
  StatementBody source(scanner_, catalog_, Keyword::copy);
  if (now_.kind == TokenKind::open) {
    now_.kind = source.run(now_, true);
    if (now_.kind == TokenKind::close) advance();
  } else {
    if (!take_copy_table(source)) source.refuse("COPY");
  }
  if (!take("to") || !at("stdout")) source.refuse("COPY");
  StatementBody options(scanner_, catalog_, Keyword::copy);
  options.refuse("COPY");
  now_.kind = options.run(now_);
  source.take_state(options);
  return of(source, source.why().empty() ? Class::read : Class::write, source.why());
}

// EXPLAIN [ANALYZE] [VERBOSE] query, EXPLAIN (options) query
Classification Classifier::explain() {
  bool valid = true;
  if (now_.kind == TokenKind::open) {
    SqlScanner ahead = scanner_;
    const Token inside = ahead.next();
    const Keyword word = inside.kind == TokenKind::word ? keyword_info(inside).keyword : Keyword::none;
    // The grammar takes VALUES for an option's name, too.
    const bool is_values = word == Keyword::values && ahead.next().kind == TokenKind::open;
    const bool options = inside.kind == TokenKind::quoted_word ||
                         (inside.kind == TokenKind::word && word != Keyword::select && !is_values &&
                          word != Keyword::table && word != Keyword::with);
    if (options) {
      advance();
      while (now_.kind == TokenKind::word || now_.kind == TokenKind::quoted_word ||
             now_.kind == TokenKind::string || now_.kind == TokenKind::number ||
             now_.kind == TokenKind::comma) {
        advance();
      }
      valid = now_.kind == TokenKind::close;
      if (valid) advance();
    }
  } else {
    while (now_keyword() == Keyword::analyze || now_keyword() == Keyword::verbose) advance();
  }
  StatementBody body(scanner_, catalog_, Keyword::explain);
  if (!valid) body.refuse("unknown form of EXPLAIN");
  now_.kind = body.run(now_);
  return of(body, body.why().empty() ? Class::read : Class::write, body.why());
}

namespace {

// What is true of a text that is one or the other.
Classification either(const Classification& one, const Classification& other) {
  Classification result = one;
  if (one.statement != other.statement || one.is_commit != other.is_commit) {
    result.statement = StatementClass::write;
    result.is_commit = false;
    result.why = kTwoReadings;
  }
  result.session_state |= other.session_state;
  result.leaves_session_state = result.session_state != 0;
  if (result.leaves_session_state) result.statement = StatementClass::session_state;
  result.ends_session_state = one.ends_session_state || other.ends_session_state;
  result.only_settings = one.only_settings && other.only_settings;
  result.reads_sequence_state = one.reads_sequence_state || other.reads_sequence_state;
  result.sets_locally = one.sets_locally || other.sets_locally;
  result.for_primary = one.for_primary || other.for_primary;
  result.several = one.several || other.several;
  result.may_commit = one.may_commit || other.may_commit;
  result.changes_functions = one.changes_functions || other.changes_functions;
  if (result.why.empty()) result.why = other.why;
  return result;
}

}  // namespace

namespace {

/// What tables and views that `sql` names may leave in its session.
std::uint8_t effects_of_names(std::string_view sql, const EffectMap& relations) {
  if (relations.empty()) return 0;
  SqlScanner scanner(sql);
  std::uint8_t effects = 0;
  for (Token token = scanner.next(); token.kind != TokenKind::end; token = scanner.next()) {
    if (!is_name(token.kind)) continue;
    effects |= token.kind == TokenKind::unicode_word ? routine_effect::state : effects_of(token, relations);
  }
  if (scanner.backslash_matters() || scanner.doubtful()) effects |= routine_effect::state;
  return effects;
}

Classification classify_text(std::string_view sql, const FunctionCatalog* catalog) {
  Classifier ordinary(sql, catalog, Backslashes::ordinary);
  const Classification result = ordinary.run();
  if (!ordinary.scanner().backslash_matters()) return result;
  // With standard_conforming_strings off a string has another end. Both readings count, unless one is
  // refused: LIKE 'x' ESCAPE '\' is a string without an end then.
  Classifier escape(sql, catalog, Backslashes::escape);
  const Classification other = escape.run();
  if (ordinary.scanner().doubtful() || escape.scanner().doubtful()) return either(result, other);
  if (escape.scanner().refused()) return result;
  return ordinary.scanner().refused() ? other : either(result, other);
}

}  // namespace

std::string_view to_string(StatementClass value) {
  switch (value) {
    case StatementClass::empty:
      return "empty";
    case StatementClass::read:
      return "read";
    case StatementClass::write:
      return "write";
    case StatementClass::begin:
      return "begin";
    case StatementClass::begin_read_only:
      return "begin_read_only";
    case StatementClass::end:
      return "end";
    case StatementClass::transaction_local:
      return "transaction_local";
    case StatementClass::session_state:
      return "session_state";
  }
  return "unknown";
}

Classification classify(std::string_view sql, const FunctionCatalog* catalog) {
  Classification result = classify_text(sql, catalog);
  if (catalog == nullptr || catalog->written.empty()) return result;
  const bool runs = result.statement == StatementClass::read || result.statement == StatementClass::write ||
                    result.statement == StatementClass::session_state;
  const EffectMap& relations =
      result.statement == StatementClass::read ? catalog->relations : catalog->written;
  const std::uint8_t effects = runs ? effects_of_names(sql, relations) : std::uint8_t{0};
  if (effects == 0) return result;
  Classifier::add_effects(effects, result);
  result.leaves_session_state = true;
  result.statement = StatementClass::session_state;
  return result;
}

}  // namespace tidemark::routing
