#pragma once

#include <cstdint>

#include "proxy/session_terms.hpp"
#include "routing/statement_class.hpp"

namespace tidemark::proxy {

/// Where in its session a unit stands.
struct UnitPlace {
  bool continues = false;       ///< what was sent before it has not been ended by a Sync
  bool in_transaction = false;  ///< one is open, at a server or held here
  bool begin_held = false;      ///< … of which nothing but its BEGIN … READ ONLY has come, and is held here
};

/// What the statements of a unit mean together: where it may run, what it may leave, and what the loss of its
/// server would mean. Pure.
struct UnitClass {
  SessionUnit kind = SessionUnit::write;
  bool is_read = false;            ///< any node may run it that its level allows
  bool executes = false;           ///< holds a Query, Execute or FunctionCall
  bool ends_state = false;         ///< may end some state of its session
  std::uint16_t state = 0;         ///< kinds of state that it may leave there (session_state bits)
  bool only_sets = false;          ///< nothing but SET and RESET: any node will do
  bool is_of_node = false;         ///< reads what each node has of its own
  bool reads_sequence = false;     ///< calls lastval or currval
  bool begins_read_only = false;   ///< holds a BEGIN … READ ONLY
  bool may_open = false;           ///< several statements, of which one may open a transaction and not end it
  bool changes_functions = false;  ///< the catalog of functions is to be read again

  /// Before its messages are looked at. What continues a sequence adds to what is known of that.
  void begin(bool continues);
  /// A text that it parses, binds or runs.
  void add(const routing::Classification& text, UnitPlace place);
  /// A FunctionCall, of a function that nobody has looked up.
  void add_function_call();
  /// It is BEGIN … READ ONLY, reads, and the end of that, whatever add() has made of each.
  void be_read_only_transaction();
  /// All its messages have been looked at. `stays`: what the client sends next has to go to the same server.
  void conclude(UnitPlace place, bool stays);
  /// Its last message is too long to be looked at: all that is known is that it is no read.
  void be_long(UnitPlace place);
};

/// In a READ ONLY transaction `text` changes nothing of that.
[[nodiscard]] bool keeps_read_only(const routing::Classification& text);

}  // namespace tidemark::proxy
