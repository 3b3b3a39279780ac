// Transaction control, settings and other statements about the session itself.

#include "routing/statement_classifier.hpp"

namespace tidemark::routing {
namespace {

constexpr std::string_view kSetting = "setting of the session";

}  // namespace

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

// SET [SESSION | LOCAL] setting …, SET CONSTRAINTS …; any of these words can also be the name, or the class
// in the name, of a setting.
Classification Classifier::set() {
  if (take("constraints")) {
    if (after_setting_name()) return leaves(Keyword::set, session_state::settings, kSetting);
    return other(Keyword::none, Class::transaction_local, "SET CONSTRAINTS");
  }
  const bool local = at("local");
  SqlScanner ahead = scanner_;
  if (!local && !at("session")) return set_variable(false);
  const Token scope = now_;
  advance();
  if (after_setting_name()) return leaves(Keyword::set, session_state::settings, kSetting);
  if (!local && (at("characteristics") || at("authorization"))) {
    // Here SESSION belongs to what is set.
    scanner_ = ahead;
    now_ = scope;
  }
  return set_variable(local);
}

// What follows SET and its scope.
Classification Classifier::set_variable(bool local) {
  constexpr std::string_view kLocal = "setting of the transaction";
  bool role = false;
  bool seed = false;
  bool of_the_transaction = local;
  bool plain = true;
  if (now_.kind == TokenKind::unicode_word) {
    return leaves(Keyword::set, session_state::unknown, "name with Unicode escapes");
  }
  const Token name = now_;
  if (name.kind == TokenKind::word || name.kind == TokenKind::quoted_word) advance();
  const auto is = [&name](std::string_view lower) { return equals_folded(name.text, lower); };
  if (now_.kind == TokenKind::dot) {
    // A setting of an extension, whatever its first name is.
  } else if (is("role") || is("session_authorization") || (is("session") && at("authorization"))) {
    role = true;
  } else if (is("seed")) {
    seed = true;
  } else if (is("transaction_isolation") || is("transaction_read_only") || is("transaction_deferrable") ||
             (is("transaction") && !after_setting_name())) {
    of_the_transaction = true;
  } else {
    plain = after_setting_name() || is("session") || is("time") || is("names") || is("schema") || is("xml");
  }
  if (seed) return leaves(Keyword::set, session_state::unaskable, "seed of random()");
  if (of_the_transaction) {
    Classification result = other(Keyword::set, Class::transaction_local, kLocal);
    result.sets_locally = local;
    return result;
  }
  if (role) {
    Classification result = leaves(Keyword::set, session_state::role, "role of the session");
    result.ends_session_state = true;
    return result;
  }
  Classification result = leaves(Keyword::set, session_state::settings, kSetting);
  result.only_settings = plain && result.session_state == session_state::settings;
  return result;
}

// RESET setting, RESET ALL, RESET ROLE, RESET SESSION AUTHORIZATION, RESET TRANSACTION ISOLATION LEVEL.
Classification Classifier::reset() {
  const bool of_the_transaction = at("transaction") || at("transaction_isolation") ||
                                  at("transaction_read_only") || at("transaction_deferrable");
  bool role = at("role") || at("session_authorization");
  if (take("session")) role = at("authorization");
  Classification result = leaves(Keyword::reset, role ? session_state::role : session_state::settings,
                                 role ? "role of the session" : kSetting);
  result.ends_session_state = true;
  result.only_settings = result.session_state == session_state::settings && !of_the_transaction;
  return result;
}

Classification Classifier::discard() {
  if (!at("all")) return ends(Keyword::discard, "end of session state");
  Classification result = leaves(Keyword::discard, session_state::settings, "DISCARD ALL");
  result.ends_session_state = true;
  return result;
}

Classification Classifier::prepare() {
  if (take("transaction") && now_.kind == TokenKind::string) {
    Classification result = other(Keyword::prepare, Class::end, "transaction control");
    result.is_commit = result.statement == Class::end;
    return result;
  }
  return leaves(Keyword::prepare, session_state::prepared, "prepared statement");
}

}  // namespace tidemark::routing
