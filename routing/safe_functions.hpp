#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "routing/word_table.hpp"

namespace tidemark::routing {

/// What PostgreSQL's own functions are to the router (manual, "Function Volatility Categories" and the
/// chapters that describe them). A name stands for all of its overloads.
enum class FunctionKind : std::uint8_t {
  unknown,
  non_volatile,  ///< the commonest functions that PostgreSQL itself calls stable or immutable
  harmless,      ///< volatile, but neither writes nor leaves anything, and works on a replica
  syntax,        ///< a form of the grammar in some versions or places, and a function\'s name in others
  primary_only,  ///< not volatile by the catalog, and yet to be run at the primary: assigns a transaction id
  set_config,  ///< set_config itself, whose third argument says whether the setting outlives the transaction
  setting,     ///< changes a setting of the session
  advisory_lock,   ///< takes an advisory lock of the session
  unaskable,       ///< leaves something in the session that the server does not tell of
  ends_state,      ///< only ends what others have left in the session
  sequence_state,  ///< answers from what nextval did in the same session
};

/// What the built-in list says of a function. `name` is an identifier of ASCII bytes in any case, `key` its
/// WordKey.
[[nodiscard]] FunctionKind built_in_function(std::string_view name, const WordKey& key);

/// Whether the built-in list has the function, by its stored name.
[[nodiscard]] bool is_listed_function(std::string_view name);

/// Whether PostgreSQL's function of that oid works on large objects: it leaves nothing in a session but
/// descriptors that end with the transaction (pg_proc.dat; libpq and JDBC call these by their oids).
[[nodiscard]] bool is_large_object_function(std::uint32_t oid);

/// The names of one kind, in lower case and in order.
[[nodiscard]] std::span<const std::string_view> built_in_names(FunctionKind kind);

}  // namespace tidemark::routing
