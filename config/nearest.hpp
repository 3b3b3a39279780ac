#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace tidemark::config {

/// Number of insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`; `bound + 1`
/// for anything above `bound`. Works on bytes. Costs at most |a| x (2 x bound + 1) steps, so a hostile key is
/// cheap.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t bound);

/// How many edits a slip of the pen may be, for a word of this length.
[[nodiscard]] std::size_t tolerated_edits(std::string_view word);

/// The candidate with the least distance, the first of several; nullopt when none is within
/// tolerated_edits(word).
[[nodiscard]] std::optional<std::string_view> nearest(std::string_view word,
                                                      std::span<const std::string_view> candidates);

/// All candidates, the nearest first; equally near ones keep their order.
[[nodiscard]] std::vector<std::string_view> by_distance(std::string_view word,
                                                        std::span<const std::string_view> candidates);

}  // namespace tidemark::config
