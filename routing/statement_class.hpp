#pragma once

#include <cstdint>
#include <string_view>

#include "routing/function_catalog.hpp"

namespace tidemark::routing {

/// What a statement is to the router. Whatever is not proven to be something else is a write.
enum class StatementClass : std::uint8_t {
  empty,            ///< nothing but white space and comments
  read,             ///< proven to change nothing and to lock nothing; may run on a replica
  write,            ///< everything else
  begin,            ///< BEGIN or START TRANSACTION, read-write (or not known to be READ ONLY)
  begin_read_only,  ///< … READ ONLY, and not SERIALIZABLE (a replica refuses that)
  end,  ///< COMMIT, END, ROLLBACK, ABORT (of the transaction, not to a savepoint), also PREPARE TRANSACTION
  transaction_local,  ///< SAVEPOINT, RELEASE, ROLLBACK TO, SET TRANSACTION, SET LOCAL, SET CONSTRAINTS
  session_state,      ///< leaves something in the session that later statements may see
};
[[nodiscard]] std::string_view to_string(StatementClass value);

/// What the scanner found in one Query or Parse text.
struct Classification {
  /// Of the whole text: with several statements, read only if all are reads (or empty); if one is
  /// session_state, session_state; else write.
  StatementClass statement = StatementClass::write;
  /// Something outlives the transaction in this session (SET, PREPARE, LISTEN, temporary table, session
  /// advisory lock, WITH HOLD, set_config …): the server connection may not serve another session.
  bool leaves_session_state = false;
  bool several = false;  ///< more than one non-empty statement
  bool may_commit =
      false;  ///< may end or start a transaction by itself: transaction control among several, CALL, DO
  bool is_commit = false;  ///< a single COMMIT/END (also PREPARE TRANSACTION): its fate may be unknown
  bool changes_functions = false;  ///< CREATE/ALTER/DROP FUNCTION and the like: catalogs should be read again
  std::string_view why;  ///< a static text for explain: what made it a write ("FOR UPDATE", "volatile or
                         ///< unknown function")
};

/// Classifies SQL text in time linear in its length, without allocation. `catalog` may be null (unknown).
/// Conservative: text that our scanner does not understand is a write.
[[nodiscard]] Classification classify(std::string_view sql, const FunctionCatalog* catalog);

}  // namespace tidemark::routing
