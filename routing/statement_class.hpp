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

/// What a statement may add to its session that outlives its transaction; a set of bits. Which of it is
/// really there is asked of the server afterwards: the text only says that it is worth asking.
namespace session_state {
inline constexpr std::uint16_t settings = 1;       ///< SET, RESET, DISCARD ALL, set_config (not LOCAL)
inline constexpr std::uint16_t listen = 2;         ///< LISTEN
inline constexpr std::uint16_t temporary = 4;      ///< temporary relations and whatever is in their schema
inline constexpr std::uint16_t advisory_lock = 8;  ///< pg_advisory_lock and kin, of the session
inline constexpr std::uint16_t held_cursor = 16;   ///< DECLARE … WITH HOLD
inline constexpr std::uint16_t role = 32;          ///< SET ROLE, SET SESSION AUTHORIZATION, and their RESET
inline constexpr std::uint16_t prepared = 64;      ///< SQL PREPARE
inline constexpr std::uint16_t unknown = 128;      ///< may leave any of these: EXECUTE, CALL, DO, U&"…"
/// The server does not tell of it: LOAD, setseed, SET seed (LOCAL, too), temporary replication slots,
/// connections of dblink, and pg_temp in a search_path (LOCAL, too): what is created later is temporary then.
inline constexpr std::uint16_t unaskable = 256;
// Beside `unknown`, of what the catalog says of a routine's body; kinds of knowledge, not of state.
inline constexpr std::uint16_t certain = 512;     ///< it leaves something, at least at times
inline constexpr std::uint16_t suspected = 1024;  ///< it runs SQL that is put together at run time
inline constexpr std::uint16_t nameless = 2048;   ///< it sets parameters whose names cannot be known
inline constexpr std::uint16_t knowledge = certain | suspected | nameless;
}  // namespace session_state

/// What the scanner found in one Query or Parse text.
struct Classification {
  /// Of the whole text: with several statements, read only if all are reads (or empty); if one is
  /// session_state, session_state; else write.
  StatementClass statement = StatementClass::write;
  /// Something may outlive the transaction in this session: `session_state` is not 0.
  bool leaves_session_state = false;
  /// Of which kinds (session_state bits), over all statements of the text. RESET, DISCARD, UNLISTEN, CLOSE,
  /// DEALLOCATE, DROP and pg_advisory_unlock only end state: they set no bit but `role` for RESET ROLE and
  /// RESET SESSION AUTHORIZATION, `settings` for any other RESET and DISCARD ALL. SET of
  /// transaction_isolation, transaction_read_only and transaction_deferrable ends with the transaction and
  /// sets none.
  std::uint16_t session_state = 0;
  /// A statement that may end session state: UNLISTEN, CLOSE, RESET, DISCARD, DEALLOCATE, DROP, SET ROLE, SET
  /// SESSION AUTHORIZATION, pg_advisory_unlock and kin, and whatever sets `unknown`.
  bool ends_session_state = false;
  /// Nothing but SET and RESET of settings, not LOCAL (and empty statements): any node can run it.
  bool only_settings = false;
  /// Calls lastval or currval: what they answer belongs to one server connection.
  bool reads_sequence_state = false;
  /// A read of what each node has of its own, such as pg_stat_… or a sequence's last_value: the primary's.
  bool for_primary = false;
  bool several = false;  ///< more than one non-empty statement
  bool may_commit =
      false;  ///< may end or start a transaction by itself: transaction control among several, CALL, DO
  bool is_commit = false;     ///< a single COMMIT/END (also PREPARE TRANSACTION): its fate may be unknown
  bool sets_locally = false;  ///< SET LOCAL, or calls set_config(): may set something for its transaction
  bool changes_functions = false;  ///< CREATE/ALTER/DROP FUNCTION and the like: catalogs should be read again
  std::string_view why;  ///< a static text for explain: what made it a write ("FOR UPDATE", "volatile or
                         ///< unknown function")
};

/// Classifies SQL text in time linear in its length, without allocation. `catalog` may be null (unknown).
/// Conservative: text that our scanner does not understand is a write.
[[nodiscard]] Classification classify(std::string_view sql, const FunctionCatalog* catalog);

}  // namespace tidemark::routing
