#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "routing/word_table.hpp"

namespace tidemark::routing {

/// What a byte is to the scanner when a token begins with it.
enum class ByteClass : std::uint8_t {
  end,    ///< of the text: no byte is so
  other,  ///< no token begins with it
  space,
  letter,  ///< begins an identifier, as every byte >= 0x80 and the underscore do
  prefix,  ///< a letter that may also begin a string: B E N U X
  digit,
  quote,
  double_quote,
  dollar,
  open,
  close,
  open_bracket,
  close_bracket,
  comma,
  semicolon,
  dot,
  colon,
  minus,
  slash,
  op,  ///< the other operator characters
};

namespace byte_traits {
inline constexpr std::uint8_t identifier = 32;  ///< may stand in an identifier
inline constexpr std::uint8_t operator_character = 64;
inline constexpr std::uint8_t high = 128;  ///< >= 0x80
inline constexpr std::uint8_t class_mask = 31;

constexpr std::array<std::uint8_t, 256> make() {
  std::array<std::uint8_t, 256> table{};
  table.fill(static_cast<std::uint8_t>(ByteClass::other));
  const auto add = [&table](std::string_view bytes, ByteClass value, std::uint8_t traits) {
    for (const char c : bytes)
      table[static_cast<unsigned char>(c)] =
          static_cast<std::uint8_t>(static_cast<std::uint8_t>(value) | traits);
  };
  add(" \t\n\r\f", ByteClass::space, 0);
  add("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_", ByteClass::letter, identifier);
  add("bBeEnNuUxX", ByteClass::prefix, identifier);
  add("0123456789", ByteClass::digit, identifier);
  add("'", ByteClass::quote, 0);
  add("\"", ByteClass::double_quote, 0);
  add("$", ByteClass::dollar, identifier);
  add("(", ByteClass::open, 0);
  add(")", ByteClass::close, 0);
  add("[", ByteClass::open_bracket, 0);
  add("]", ByteClass::close_bracket, 0);
  add(",", ByteClass::comma, 0);
  add(";", ByteClass::semicolon, 0);
  add(".", ByteClass::dot, 0);
  add(":", ByteClass::colon, 0);
  add("~!@#^&|`?+*%<>=", ByteClass::op, operator_character);
  add("-", ByteClass::minus, operator_character);
  add("/", ByteClass::slash, operator_character);
  for (std::size_t i = 0x80; i < table.size(); ++i)
    table[i] = static_cast<std::uint8_t>(static_cast<std::uint8_t>(ByteClass::letter) | identifier | high);
  return table;
}
inline constexpr std::array<std::uint8_t, 256> table = make();
}  // namespace byte_traits

constexpr ByteClass byte_class(char c) {
  return static_cast<ByteClass>(byte_traits::table[static_cast<unsigned char>(c)] & byte_traits::class_mask);
}
constexpr bool is_identifier_byte(char c) {
  return (byte_traits::table[static_cast<unsigned char>(c)] & byte_traits::identifier) != 0;
}
constexpr bool is_operator_byte(char c) {
  return (byte_traits::table[static_cast<unsigned char>(c)] & byte_traits::operator_character) != 0;
}
constexpr bool is_high_byte(char c) {
  return (static_cast<unsigned char>(c) & 0x80U) != 0;
}
constexpr bool is_digit_byte(char c) {
  return c >= '0' && c <= '9';
}
constexpr bool is_space_byte(char c) {
  return byte_class(c) == ByteClass::space;
}
constexpr bool begins_identifier(char c) {
  const ByteClass value = byte_class(c);
  return value == ByteClass::letter || value == ByteClass::prefix;
}

#if defined(__SSE2__)

// Sixteen bytes at a time; SSE2 is part of every x86-64.
namespace sixteen_bytes {

inline __m128i load(const char* at) {
  __m128i bytes;
  std::memcpy(&bytes, at, sizeof bytes);
  return bytes;
}
/// One bit per byte.
inline std::uint32_t mask(__m128i bytes) {
  return static_cast<std::uint32_t>(_mm_movemask_epi8(bytes));
}
inline std::uint32_t equal(__m128i bytes, char c) {
  return mask(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(c)));
}
/// Which bytes are at most `most` above `least`.
inline __m128i in_range(__m128i bytes, char least, char most) {
  // Without SSE2 byte_masks() and the others do without.
  // NOLINTBEGIN(portability-simd-intrinsics)
  const __m128i above = _mm_sub_epi8(bytes, _mm_set1_epi8(least));
  return _mm_cmpeq_epi8(_mm_min_epu8(above, _mm_set1_epi8(most)), above);
  // NOLINTEND(portability-simd-intrinsics)
}
inline std::uint32_t identifier(__m128i bytes) {
  const __m128i letters = in_range(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 25);
  const __m128i digits = in_range(bytes, '0', 9);
  const __m128i others =
      _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('_')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('$')));
  // The bytes >= 0x80 bring their own highest bit.
  return mask(_mm_or_si128(_mm_or_si128(letters, digits), _mm_or_si128(others, bytes)));
}
/// Digits, commas, spaces and line breaks.
inline std::uint32_t number_list(__m128i bytes) {
  const __m128i breaks =
      _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('\n')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\r')));
  const __m128i others =
      _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8(' ')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8(',')));
  return mask(_mm_or_si128(in_range(bytes, '0', 9), _mm_or_si128(breaks, others)));
}

}  // namespace sixteen_bytes

#endif

/// Of up to 64 bytes of a text.
struct ByteMasks {
  std::uint64_t identifier = 0;  ///< which may stand in an identifier, the first byte's bit the lowest
  bool any_high = false;         ///< whether any is >= 0x80
};

/// Of the bytes at `at` in the text [begin, end); those behind its end are nothing.
inline ByteMasks byte_masks(const char* begin, const char* at, const char* end) {
  ByteMasks masks;
  const auto left = static_cast<std::size_t>(end - at);
  std::size_t done = 0;
#if defined(__SSE2__)
  using namespace sixteen_bytes;
  __m128i all = _mm_setzero_si128();
  for (; done < 64 && done + 16 <= left; done += 16) {
    const __m128i bytes = load(at + done);
    masks.identifier |= std::uint64_t{identifier(bytes)} << done;
    all = _mm_or_si128(all, bytes);
  }
  if (done < 64 && done < left && end - begin >= 16) {
    // The last sixteen bytes of the text, without those that were seen.
    const __m128i bytes = load(end - 16);
    masks.identifier |= std::uint64_t{identifier(bytes) >> (16 - (left - done))} << done;
    all = _mm_or_si128(all, bytes);
    done = left;
  }
  masks.any_high = mask(all) != 0;
#else
  static_cast<void>(begin);
#endif
  for (; done < 64 && done < left; ++done) {
    masks.identifier |= std::uint64_t{is_identifier_byte(at[done])} << done;
    masks.any_high = masks.any_high || is_high_byte(at[done]);
  }
  return masks;
}

namespace word_key_masks {
constexpr std::array<std::uint64_t, WordKey::kBytes + 1> make(std::size_t first) {
  std::array<std::uint64_t, WordKey::kBytes + 1> masks{};
  for (std::size_t size = 0; size < masks.size(); ++size) {
    for (std::size_t i = first; i < first + 8 && i < size; ++i)
      masks[size] |= std::uint64_t{0xFF} << (8 * (i - first));
  }
  return masks;
}
inline constexpr auto low = make(0);
inline constexpr auto high = make(8);
}  // namespace word_key_masks

/// WordKey::of() the word [at, at + size) of the text [begin, end); quick where that has sixteen bytes.
[[gnu::always_inline]] inline WordKey word_key(const char* begin, const char* at, std::size_t size,
                                               const char* end) {
  WordKey key;
  const std::size_t used = size < WordKey::kBytes ? size : WordKey::kBytes;
  if (std::endian::native != std::endian::little) return WordKey::of({at, size});
  if (end - at >= 16) [[likely]] {
    std::memcpy(&key.low, at, sizeof key.low);
    std::memcpy(&key.high, at + sizeof key.low, sizeof key.high);
  } else {
    if (end - begin < 16) return WordKey::of({at, size});
    // The text's last sixteen bytes, without those before the word.
    const auto before = static_cast<unsigned>(16 - (end - at));
    std::memcpy(&key.low, end - 16, sizeof key.low);
    std::memcpy(&key.high, end - 8, sizeof key.high);
    key.low =
        before < 8 ? key.low >> (8 * before) | key.high << (64 - 8 * before) : key.high >> (8 * (before - 8));
    key.high = before < 8 ? key.high >> (8 * before) : 0;
  }
  key.low = (key.low | WordKey::kFold) & word_key_masks::low[used];
  key.high = (key.high | WordKey::kFold) & word_key_masks::high[used];
  return key;
}

/// How many bytes at `at` are digits, commas or white space.
inline std::size_t number_list_size(const char* at, const char* end) {
  const char* const first = at;
#if defined(__SSE2__)
  while (end - at >= 16) {
    const auto found =
        static_cast<unsigned>(std::countr_one(sixteen_bytes::number_list(sixteen_bytes::load(at))));
    at += found;
    if (found < 16) return static_cast<std::size_t>(at - first);
  }
#endif
  while (at != end && (is_digit_byte(*at) || *at == ',' || *at == ' ' || *at == '\n' || *at == '\r')) ++at;
  return static_cast<std::size_t>(at - first);
}

/// The next `c` in the text, or `end`.
inline const char* find_byte(const char* at, const char* end, char c) {
#if defined(__SSE2__)
  if (end - at >= 16) {
    const std::uint32_t found = sixteen_bytes::equal(sixteen_bytes::load(at), c);
    if (found != 0) return at + std::countr_zero(found);
  }
#endif
  if (at == end) return end;
  const void* const found = std::memchr(at, c, static_cast<std::size_t>(end - at));
  return found == nullptr ? end : static_cast<const char*>(found);
}

}  // namespace tidemark::routing
