#include "proxy/unit_class.hpp"

namespace tidemark::proxy {

using Kind = SessionUnit;
using routing::StatementClass;

void UnitClass::begin(bool continues) {
  if (!continues) {
    *this = {};
    only_sets = true;
  }
  kind = Kind::read;
  is_read = true;
}

void UnitClass::add(const routing::Classification& text, UnitPlace place) {
  state = static_cast<std::uint16_t>(state | text.session_state);
  ends_state = ends_state || text.ends_session_state;
  reads_sequence = reads_sequence || text.reads_sequence_state;
  is_of_node = is_of_node || text.for_primary;
  if (text.statement != StatementClass::empty) only_sets = only_sets && text.only_settings;
  // What is temporary only its own session sees, which keeps its server for it.
  const bool temporary = (text.session_state & routing::session_state::temporary) != 0;
  changes_functions = changes_functions || (text.changes_functions && !temporary);
  Kind added = Kind::write;
  switch (text.statement) {
    case StatementClass::empty:
    case StatementClass::read:
      return;
    case StatementClass::begin_read_only:
      begins_read_only = true;
      return;
    case StatementClass::begin:
      added = Kind::begin;
      break;
    case StatementClass::end:
      added = text.is_commit ? Kind::commit : Kind::rollback;
      break;
    case StatementClass::transaction_local:
      // Any node can run it; what follows stays there.
      if (place.begin_held) return;
      break;
    case StatementClass::session_state:
      if (text.only_settings && (!place.in_transaction || place.begin_held)) return;
      break;
    case StatementClass::write:
      break;
  }
  const bool first = is_read;
  is_read = false;
  // Several statements within a transaction are part of it; by themselves they are committed.
  if (text.may_commit || (text.several && !place.in_transaction)) {
    added = Kind::commit;
    may_open = may_open || (text.several && text.may_commit);
  }
  // Several statements: a COMMIT among them decides what its loss means; BEGIN and ROLLBACK count only alone.
  if (first) {
    kind = added;
  } else if (added == Kind::commit || kind == Kind::commit) {
    kind = Kind::commit;
  } else if (kind == Kind::begin || kind == Kind::opens || added == Kind::begin) {
    kind = Kind::opens;
  } else {
    kind = Kind::write;
  }
}

void UnitClass::add_function_call() {
  executes = true;
  is_read = only_sets = false;
  kind = Kind::write;
}

void UnitClass::be_read_only_transaction() {
  is_read = true;
  kind = Kind::read;
}

void UnitClass::conclude(UnitPlace place, bool stays) {
  only_sets = only_sets && state != 0;
  if (place.continues || stays) is_read = false;
  if (!is_read && kind == Kind::read) kind = Kind::write;
  if (place.continues && kind == Kind::begin) kind = Kind::opens;
  const bool first_of_transaction = place.begin_held && is_read;
  if (place.in_transaction && kind != Kind::commit && kind != Kind::rollback && !first_of_transaction)
    kind = Kind::in_transaction;
}

void UnitClass::be_long(UnitPlace place) {
  is_read = only_sets = false;
  executes = true;
  kind = place.in_transaction ? Kind::in_transaction : Kind::write;
}

bool keeps_read_only(const routing::Classification& text) {
  return !text.several && (text.statement == StatementClass::read || text.statement == StatementClass::end ||
                           text.statement == StatementClass::empty);
}

}  // namespace tidemark::proxy
