#pragma once

#include <cstdint>
#include <string_view>

namespace tidemark::routing {

/// CRC-32C (Castagnoli; RFC 3720, appendix B.4) of the bytes that come one after the other. Finds every fault
/// within 32 neighbouring bits. For a few bytes: it has no table.
class Crc32c {
 public:
  Crc32c& add(std::uint8_t byte) {
    state_ ^= byte;
    for (int bit = 0; bit < 8; ++bit) state_ = (state_ >> 1U) ^ ((state_ & 1U) != 0 ? 0x82F63B78U : 0U);
    return *this;
  }
  Crc32c& add(std::string_view bytes) {
    for (const char byte : bytes) add(static_cast<std::uint8_t>(byte));
    return *this;
  }
  [[nodiscard]] std::uint32_t value() const { return ~state_; }

 private:
  std::uint32_t state_ = 0xFFFFFFFFU;
};

}  // namespace tidemark::routing
