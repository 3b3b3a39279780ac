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

}  // namespace tidemark::routing
