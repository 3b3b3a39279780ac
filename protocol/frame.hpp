#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidemark::protocol {

/// Every message after start-up opens with a type byte and a length that counts itself but not the type.
/// Manual: "Message Formats".
inline constexpr std::size_t kFrameHeader = 5;
/// PostgreSQL refuses longer messages: src/include/libpq/libpq.h, PQ_LARGE_MESSAGE_LIMIT (MaxAllocSize - 1).
inline constexpr std::uint32_t kMaxMessageLength = 0x3ffffffe;

/// Head of one message; `size` counts the whole of it, type byte included.
struct Frame {
  char type = 0;
  std::size_t size = 0;
  [[nodiscard]] bool valid() const { return size >= kFrameHeader; }
};

/// Reads a frame's head. `bytes` holds at least kFrameHeader. An impossible length gives an invalid frame.
[[nodiscard]] inline Frame peek_frame(std::string_view bytes) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::uint32_t>(static_cast<unsigned char>(bytes[i]));
  };
  const std::uint32_t length = byte(1) << 24 | byte(2) << 16 | byte(3) << 8 | byte(4);
  if (length < 4 || length > kMaxMessageLength) return {bytes[0], 0};
  return {bytes[0], std::size_t{length} + 1};
}

}  // namespace tidemark::protocol
