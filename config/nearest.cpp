#include "config/nearest.hpp"

#include <algorithm>
#include <utility>

namespace tidemark::config {

std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t bound) {
  const std::size_t beyond = bound + 1;
  const std::size_t gap = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
  if (gap > bound) return beyond;

  // Three rows of the table of prefixes; cells off the band around the diagonal can only be beyond the bound.
  std::vector<std::size_t> before_last(b.size() + 1, beyond);
  std::vector<std::size_t> last(b.size() + 1, beyond);
  std::vector<std::size_t> row(b.size() + 1, beyond);
  for (std::size_t j = 0; j <= std::min(b.size(), bound); ++j) last[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    const std::size_t first = i > bound ? i - bound : 0;
    const std::size_t end = std::min(b.size(), i + bound);
    std::size_t best = beyond;
    if (first > 0) row[first - 1] = beyond;
    for (std::size_t j = first; j <= end; ++j) {
      if (j == 0) {
        row[j] = i;
      } else {
        const std::size_t replaced = last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
        std::size_t cell = std::min({replaced, row[j - 1] + 1, last[j] + 1});
        if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
          cell = std::min(cell, before_last[j - 2] + 1);
        }
        row[j] = std::min(cell, beyond);
      }
      best = std::min(best, row[j]);
    }
    if (end < b.size()) row[end + 1] = beyond;
    if (best == beyond) return beyond;
    std::swap(before_last, last);
    std::swap(last, row);
  }
  return last[b.size()];
}

std::size_t tolerated_edits(std::string_view word) {
  return std::clamp<std::size_t>(word.size() / 3, 1, 4);
}

std::optional<std::string_view> nearest(std::string_view word, std::span<const std::string_view> candidates) {
  std::optional<std::string_view> found;
  std::size_t bound = tolerated_edits(word);
  for (const std::string_view candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate, bound);
    if (distance > bound) continue;
    found = candidate;
    if (distance == 0) break;
    bound = distance - 1;
  }
  return found;
}

std::vector<std::string_view> by_distance(std::string_view word,
                                          std::span<const std::string_view> candidates) {
  constexpr std::size_t far = 32;
  std::vector<std::pair<std::size_t, std::size_t>> ranked;  // distance, index
  ranked.reserve(candidates.size());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    ranked.emplace_back(edit_distance(word, candidates[i], far), i);
  }
  std::sort(ranked.begin(), ranked.end());
  std::vector<std::string_view> result;
  result.reserve(ranked.size());
  for (const auto& entry : ranked) result.push_back(candidates[entry.second]);
  return result;
}

}  // namespace tidemark::config
