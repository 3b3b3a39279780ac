#include "routing/consistency.hpp"

#include <array>
#include <utility>

namespace tidemark::routing {
namespace {

constexpr std::array<std::pair<ConsistencyLevel, std::string_view>, 7> kSpelling{{
    {ConsistencyLevel::eventual, "eventual"},
    {ConsistencyLevel::bounded_staleness, "bounded_staleness"},
    {ConsistencyLevel::monotonic_reads, "monotonic_reads"},
    {ConsistencyLevel::read_your_writes, "read_your_writes"},
    {ConsistencyLevel::session, "session"},
    {ConsistencyLevel::strong, "strong"},
    {ConsistencyLevel::primary, "primary"},
}};

}  // namespace

std::optional<ConsistencyLevel> parse_consistency(std::string_view text) {
  for (const auto& [level, spelling] : kSpelling) {
    if (spelling == text) return level;
  }
  return std::nullopt;
}

std::string_view to_string(ConsistencyLevel level) {
  for (const auto& [known, spelling] : kSpelling) {
    if (known == level) return spelling;
  }
  return "unknown";
}

ConsistencyLevel stronger(ConsistencyLevel a, ConsistencyLevel b) {
  using Level = ConsistencyLevel;
  if (a == b || b == Level::eventual) return a;
  if (a == Level::eventual) return b;
  for (const Level level : {Level::primary, Level::strong}) {
    if (a == level || b == level) return level;
  }
  // A bound in time and a floor of the session's own do not compare; only what is never stale gives both.
  if (a == Level::bounded_staleness || b == Level::bounded_staleness) return Level::strong;
  return Level::session;
}

}  // namespace tidemark::routing
