#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/consistency/history.hpp"

namespace tidemark::consistency {

enum class SearchResult : std::uint8_t { linearizable, not_linearizable, undecided };

// The general search for a linearization (Wing and Gong 1993, with the memory of configurations that Lowe
// 2017 adds), of a counter whose writes add one and return the sum, whose unknown writes may happen at any
// time after their start or never, and whose reads return it. Knows nothing of the order of versions: it is
// the oracle of linearizable(). Exponential in the number of operations at once; gives up after `max_steps`
// configurations. At most 64 operations, all of one key.
inline constexpr std::size_t searchable = 64;
SearchResult search_linearization(std::span<const Operation> operations, std::int64_t initial,
                                  std::uint64_t max_steps = 1'000'000);

}  // namespace tidemark::consistency
