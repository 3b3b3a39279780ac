#pragma once

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

/// Hash of a word as it is folded to lower case; the scanner computes it while it walks the word.
class WordHash {
 public:
  constexpr void add(char lower) { state_ = std::rotl(state_, 5) ^ static_cast<unsigned char>(lower); }
  [[nodiscard]] constexpr std::uint32_t value() const { return state_ * 0x9E3779B1U; }
  [[nodiscard]] static constexpr std::uint32_t of(std::string_view word) {
    WordHash hash;
    for (const char c : word) hash.add(ascii_lower(c));
    return hash.value();
  }

 private:
  std::uint32_t state_ = 0;
};

/// Compares `word`, folded to lower case, with `lower`, which is in lower case.
constexpr bool equals_folded(std::string_view word, std::string_view lower) {
  if (word.size() != lower.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    if (ascii_lower(word[i]) != lower[i]) return false;
  }
  return true;
}

/// A fixed map from lower-case words to values, built at compile time; open addressing. `Slots` is a power
/// of two, at least twice the number of words.
template <typename Value, std::size_t Slots>
class WordTable {
 public:
  template <std::size_t Count>
  constexpr explicit WordTable(const std::array<std::pair<std::string_view, Value>, Count>& words) {
    static_assert(std::has_single_bit(Slots) && Slots >= 2 * Count);
    for (const auto& [word, value] : words) {
      const std::uint32_t hash = WordHash::of(word);
      std::size_t slot = first_slot(hash);
      while (!slots_[slot].word.empty()) slot = (slot + 1) % Slots;
      slots_[slot] = {word, hash, value};
    }
  }

  /// The value of `word` (any case) whose WordHash is `hash`, or `missing`.
  [[nodiscard]] constexpr Value find(std::string_view word, std::uint32_t hash, Value missing) const {
    for (std::size_t slot = first_slot(hash); !slots_[slot].word.empty(); slot = (slot + 1) % Slots) {
      if (slots_[slot].hash == hash && equals_folded(word, slots_[slot].word)) return slots_[slot].value;
    }
    return missing;
  }

 private:
  struct Slot {
    std::string_view word;
    std::uint32_t hash = 0;
    Value value{};
  };

  static constexpr std::size_t first_slot(std::uint32_t hash) {
    return hash >> (32 - std::countr_zero(Slots));
  }

  std::array<Slot, Slots> slots_{};
};

}  // namespace tidemark::routing
