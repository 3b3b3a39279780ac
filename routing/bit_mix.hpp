#pragma once

#include <cstdint>

namespace tidemark::routing {

/// A bijection of 64 bits in which every input bit changes about half of the output's: the finalizer of
/// SplitMix64 (Steele, Lea, Flood: "Fast Splittable Pseudorandom Number Generators", 2014; Stafford's mix
/// 13).
[[nodiscard]] constexpr std::uint64_t mix_bits(std::uint64_t value) {
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

}  // namespace tidemark::routing
