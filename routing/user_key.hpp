#pragma once

#include <cstdint>
#include <string_view>

#include "routing/bit_mix.hpp"

namespace tidemark::routing {

/// The key of a user whom the application names: the same in every process and version, since proxies share
/// marks by it; never 0. FNV-1a (Fowler, Noll, Vo; 64 bits), mixed.
///
/// Two users may have one key. They then share a mark, so each is shown at least what the other requires:
/// that costs a wait, never correctness. It is no secret and no defence against who looks for such names.
[[nodiscard]] constexpr std::uint64_t user_key(std::string_view user) {
  std::uint64_t hash = 0xCBF29CE484222325U;
  for (const char c : user) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001B3U;
  }
  const std::uint64_t key = mix_bits(hash);
  return key == 0 ? 1 : key;
}

}  // namespace tidemark::routing
