#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace tidemark::routing {

/// What a session is guaranteed; README.md of this room defines each level. Ordered as in the configuration
/// reference, not by strength.
enum class ConsistencyLevel : std::uint8_t {
  eventual,
  bounded_staleness,
  monotonic_reads,
  read_your_writes,
  session,
  strong,
  primary,
};

/// The configuration's spelling ("read_your_writes"); nullopt for any other text.
[[nodiscard]] std::optional<ConsistencyLevel> parse_consistency(std::string_view text);
[[nodiscard]] std::string_view to_string(ConsistencyLevel level);

/// The weakest level that guarantees what both do: for a text in which several levels are asked for.
[[nodiscard]] ConsistencyLevel stronger(ConsistencyLevel a, ConsistencyLevel b);

/// Whether a read under `level` must show the session's own writes.
[[nodiscard]] constexpr bool requires_own_writes(ConsistencyLevel level) {
  return level == ConsistencyLevel::read_your_writes || level == ConsistencyLevel::session ||
         level == ConsistencyLevel::strong;
}
/// Whether a read under `level` must not show less than the session has seen.
[[nodiscard]] constexpr bool requires_monotonic(ConsistencyLevel level) {
  return level == ConsistencyLevel::monotonic_reads || level == ConsistencyLevel::session ||
         level == ConsistencyLevel::strong;
}

}  // namespace tidemark::routing
