#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace tidemark::routing {

/// What PostgreSQL's own functions are to the router (manual, "Function Volatility Categories" and the
/// chapters that describe them). A name stands for all of its overloads.
enum class FunctionKind : std::uint8_t {
  unknown,
  non_volatile,   ///< the commonest functions that PostgreSQL itself calls stable or immutable
  harmless,       ///< volatile, but neither writes nor leaves anything, and works on a replica
  session_state,  ///< leaves something in the session: an advisory lock, a setting, a slot, a connection
  primary_only,   ///< not volatile by the catalog, and yet to be run at the primary: assigns a transaction id
};

/// What the built-in list says of a function. `name` in any case, `hash` its WordHash.
[[nodiscard]] FunctionKind built_in_function(std::string_view name, std::uint32_t hash);

/// The names of one kind, in lower case and in order.
[[nodiscard]] std::span<const std::string_view> built_in_names(FunctionKind kind);

}  // namespace tidemark::routing
