#include "routing/statement_class.hpp"

#include "routing/sql_keywords.hpp"
#include "routing/sql_scanner.hpp"
#include "routing/statement_body.hpp"
#include "routing/word_table.hpp"

namespace tidemark::routing {
namespace {

class Classifier {
 public:
  Classifier(std::string_view sql, const FunctionCatalog* catalog) : scanner_(sql), catalog_(catalog) {}

  Classification run();

 private:
  using Class = StatementClass;

  // Each of these begins behind the statement's first word and ends at the semicolon or the end.
  Classification statement();
  Classification begin(bool start);
  Classification commit_or_rollback(bool commit);
  Classification set();
  Classification prepare();
  Classification show();
  Classification copy();
  Classification explain();
  Classification other(Keyword first, Class known, std::string_view why);
  Classification query(Keyword first);

  void advance() { now_ = scanner_.next(); }
  [[nodiscard]] bool at(std::string_view lower) const {
    return now_.kind == TokenKind::word && equals_folded(now_.text, lower);
  }
  [[nodiscard]] bool take(std::string_view lower) {
    if (!at(lower)) return false;
    advance();
    return true;
  }
  [[nodiscard]] bool at_end() const {
    return now_.kind == TokenKind::semicolon || now_.kind == TokenKind::end;
  }
  [[nodiscard]] Keyword now_keyword() const {
    return now_.kind == TokenKind::word ? keyword_info(now_).keyword : Keyword::none;
  }
  [[nodiscard]] bool take_copy_table();
  [[nodiscard]] static Classification of(const StatementBody& body, Class known, std::string_view why);

  SqlScanner scanner_;
  const FunctionCatalog* catalog_;
  Token now_;
};

Classification Classifier::run() {
  Classification all;
  all.statement = Class::empty;
  bool control = false;
  for (;;) {
    advance();
    if (now_.kind == TokenKind::semicolon) continue;
    if (now_.kind == TokenKind::end) break;
    const Classification one = statement();
    control = control || one.statement == Class::begin || one.statement == Class::begin_read_only ||
              one.statement == Class::end;
    if (all.statement == Class::empty && !all.several) {
      all = one;
    } else {
      const bool reads = all.statement == Class::read && one.statement == Class::read;
      const std::string_view why = all.why.empty() ? one.why : all.why;
      all.statement = reads ? Class::read : Class::write;
      all.leaves_session_state = all.leaves_session_state || one.leaves_session_state;
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
    all.may_commit = true;
    all.is_commit = false;
    all.why = "text that may be read in more than one way";
  }
  if (all.leaves_session_state) all.statement = Class::session_state;
  return all;
}

Classification Classifier::of(const StatementBody& body, Class known, std::string_view why) {
  Classification result;
  result.statement = known;
  result.why = why;
  result.changes_functions = body.changes_functions();
  if (!body.session_why().empty()) {
    result.statement = Class::session_state;
    result.why = body.session_why();
  }
  result.leaves_session_state = result.statement == Class::session_state;
  return result;
}

// A statement that is no read whatever it holds; its text is walked for what it leaves in the session.
Classification Classifier::other(Keyword first, Class known, std::string_view why) {
  StatementBody body(scanner_, catalog_, first);
  body.refuse(why.empty() ? "not a query" : why);
  now_ = body.run(now_);
  return of(body, known, why);
}

Classification Classifier::query(Keyword first) {
  StatementBody body(scanner_, catalog_, first);
  now_ = body.run(now_);
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
    case Keyword::discard:
    case Keyword::listen:
    case Keyword::unlisten:
    case Keyword::execute:
    case Keyword::deallocate:
    case Keyword::load:
      return other(first, Class::session_state, "session state");
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
      Classification result = other(first, Class::write, "CALL or DO");
      result.may_commit = true;
      return result;
    }
    default:
      if (now_.kind == TokenKind::open) return query(Keyword::none);
      return other(first, Class::write, "not a query");
  }
}

// BEGIN [WORK | TRANSACTION] modes, START TRANSACTION modes; the modes in any order, with or without commas.
Classification Classifier::begin(bool start) {
  bool valid = take("transaction") || (!start && (take("work") || true));
  bool read_only = false;
  bool read_write = false;
  bool serializable = false;
  while (valid && !at_end()) {
    if (take("read")) {
      if (take("only")) {
        read_only = true;
      } else {
        valid = take("write");
        read_write = true;
      }
    } else if (take("isolation")) {
      valid = take("level");
      if (take("serializable")) {
        serializable = true;
      } else {
        valid = valid && (take("read") ? take("committed") || take("uncommitted")
                                       : take("repeatable") && take("read"));
      }
    } else if (take("not")) {
      valid = take("deferrable");
    } else {
      valid = take("deferrable");
    }
    if (valid && now_.kind == TokenKind::comma) advance();
  }
  const Class known = !valid                                      ? Class::write
                      : read_only && !read_write && !serializable ? Class::begin_read_only
                                                                  : Class::begin;
  Classification result =
      other(Keyword::begin, known, valid ? "transaction control" : "unknown form of BEGIN");
  result.may_commit = !valid;
  return result;
}

Classification Classifier::commit_or_rollback(bool commit) {
  Classification result;
  if (take("prepared")) {
    result = other(Keyword::none, Class::write, "two-phase commit");
    result.may_commit = true;
    return result;
  }
  if (!take("work")) static_cast<void>(take("transaction"));
  if (!commit && at("to")) return other(Keyword::rollback, Class::transaction_local, "savepoint");
  bool valid = true;
  bool chain = false;
  if (take("and")) {
    chain = !take("no");
    valid = take("chain");
  }
  valid = valid && at_end();
  result = other(Keyword::none, valid ? Class::end : Class::write, "transaction control");
  result.is_commit = commit && valid;
  result.may_commit = chain || !valid;
  return result;
}

Classification Classifier::set() {
  const Keyword scope = now_keyword();
  const bool constraints = at("constraints");
  if (scope != Keyword::local && scope != Keyword::transaction && !constraints) {
    return other(Keyword::set, Class::session_state, "session state");
  }
  advance();
  // `local`, `transaction` and `constraints` can also be the name, or the class, of a setting.
  const bool setting = now_.kind == TokenKind::dot || now_.kind == TokenKind::op || at("to") || at_end();
  return other(Keyword::set, setting ? Class::session_state : Class::transaction_local,
               setting ? "session state" : "setting of the transaction");
}

Classification Classifier::prepare() {
  if (take("transaction") && now_.kind == TokenKind::string) {
    Classification result = other(Keyword::prepare, Class::end, "transaction control");
    result.is_commit = result.statement == Class::end;
    return result;
  }
  return other(Keyword::prepare, Class::session_state, "prepared statement");
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
bool Classifier::take_copy_table() {
  const auto take_name = [this] {
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
    now_ = source.run(now_, true);
    if (now_.kind == TokenKind::close) advance();
  } else {
    if (names_temporary_schema(now_)) source.leaves_session_state("temporary schema");
    if (!take_copy_table()) source.refuse("COPY");
  }
  if (!take("to") || !at("stdout")) source.refuse("COPY");
  StatementBody options(scanner_, catalog_, Keyword::copy);
  options.refuse("COPY");
  now_ = options.run(now_);
  return of(source, source.why().empty() ? Class::read : Class::write, source.why());
}

// EXPLAIN [VERBOSE] query, EXPLAIN (options) query
Classification Classifier::explain() {
  bool harmless = true;
  if (now_.kind == TokenKind::open) {
    SqlScanner ahead = scanner_;
    const Token inside = ahead.next();
    const Keyword word = inside.kind == TokenKind::word ? keyword_info(inside).keyword : Keyword::none;
    const bool options = inside.kind == TokenKind::word && word != Keyword::select &&
                         word != Keyword::values && word != Keyword::table && word != Keyword::with;
    if (options) {
      advance();
      while (now_.kind == TokenKind::word || now_.kind == TokenKind::comma ||
             now_.kind == TokenKind::number) {
        if (now_keyword() == Keyword::analyze) harmless = false;
        advance();
      }
      if (now_.kind == TokenKind::close) {
        advance();
      } else {
        harmless = false;
      }
    }
  } else {
    while (now_keyword() == Keyword::analyze || now_keyword() == Keyword::verbose) {
      if (now_keyword() == Keyword::analyze) harmless = false;
      advance();
    }
  }
  StatementBody body(scanner_, catalog_, Keyword::explain);
  if (!harmless) body.refuse("EXPLAIN ANALYZE");
  now_ = body.run(now_);
  return of(body, body.why().empty() ? Class::read : Class::write, body.why());
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
  return Classifier(sql, catalog).run();
}

}  // namespace tidemark::routing
