#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

namespace tidemark::routing {

/// PostgreSQL folds unquoted ASCII letters only when the encoding has many bytes; we fold ASCII only and
/// treat names with other bytes as unknown.
constexpr char ascii_lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

/// Compares `word`, folded to lower case, with `lower`, which is in lower case.
constexpr bool equals_folded(std::string_view word, std::string_view lower) {
  if (word.size() != lower.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (ascii_lower(word[i]) != lower[i]) return false;
  }
  return true;
}

/// The first sixteen bytes of a word as two little-endian numbers, filled up with zeros, so that short words
/// are compared without a loop. Folding sets one bit in every byte: of the bytes that may stand in an
/// identifier (ASCII) that makes equal only those which differ in case.
struct WordKey {
  static constexpr std::size_t kBytes = 16;
  static constexpr std::uint64_t kFold = 0x2020202020202020U;

  std::uint64_t low = 0;
  std::uint64_t high = 0;

  friend constexpr bool operator==(const WordKey&, const WordKey&) = default;

  [[nodiscard]] static constexpr WordKey of(std::string_view word) {
    WordKey key;
    for (std::size_t i = 0; i < word.size() && i < kBytes; ++i) key.put(i, word[i]);
    return key;
  }
  constexpr void put(std::size_t place, char c) {
    const std::uint64_t folded = static_cast<unsigned char>(c) | 0x20U;
    (place < 8 ? low : high) |= folded << (8 * (place % 8));
  }
};

/// A fixed map from lower-case words to values, built at compile time; open addressing. `Slots` is a power
/// of two, at least twice the number of words.
template <typename Value, std::size_t Slots>
class WordTable {
 public:
  template <std::size_t Count>
  constexpr explicit WordTable(const std::array<std::pair<std::string_view, Value>, Count>& words) {
    static_assert(std::has_single_bit(Slots) && Slots >= 2 * Count);
    for (const auto& [word, value] : words) {
      const WordKey key = WordKey::of(word);
      std::size_t slot = first_slot(key);
      while (slots_[slot].size != 0) slot = (slot + 1) % Slots;
      slots_[slot] = {key, word.data(), static_cast<std::uint8_t>(word.size()), value};
    }
  }

  /// The value of `word` (an identifier of ASCII bytes in any case) whose WordKey is `key`, or `missing`.
  [[nodiscard]] constexpr Value find(const WordKey& key, std::string_view word, Value missing) const {
    for (std::size_t at = first_slot(key);; at = (at + 1) % Slots) {
      const Slot& slot = slots_[at];
      if (slot.key == key) {
        // With a last byte in the key there may be more of the word; no byte of an identifier is zero.
        if (key.high >> 56U == 0 || equals_folded(word, {slot.word, slot.size})) return slot.value;
      }
      if (slot.size == 0) return missing;
    }
  }

 private:
  struct Slot {
    WordKey key;
    const char* word = nullptr;
    std::uint8_t size = 0;  ///< 0: empty
    Value value{};
  };

  static constexpr std::size_t first_slot(const WordKey& key) {
    const std::uint64_t mixed = (key.low + std::rotl(key.high, 27)) * 0x9E3779B97F4A7C15U;
    return mixed >> (64U - static_cast<unsigned>(std::countr_zero(Slots)));
  }

  std::array<Slot, Slots> slots_{};
};

}  // namespace tidemark::routing
