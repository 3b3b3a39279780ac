#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "protocol/frame.hpp"

namespace tidemark::proxy {

/// A hash (FNV-1a, 64 bits) of what a client is sent in answer to one unit, however it is cut into pieces.
/// Left out is what may differ where the result is the same: notices, notifications and ParameterStatus.
/// Pure.
class ReplyDigest {
 public:
  void begin() { *this = {}; }

  void add(std::string_view bytes) {
    while (!bytes.empty()) {
      if (left_ == 0) {
        head_[have_++] = bytes.front();
        bytes.remove_prefix(1);
        if (have_ < protocol::kFrameHeader) continue;
        begin_message();
        continue;
      }
      const std::string_view part = bytes.substr(0, left_);
      if (counts_) hash(part);
      left_ -= part.size();
      bytes.remove_prefix(part.size());
    }
  }

  [[nodiscard]] std::uint64_t value() const { return value_; }
  /// A COPY was begun: what the client sends then is no part of a unit.
  [[nodiscard]] bool saw_copy() const { return saw_copy_; }

 private:
  void begin_message() {
    std::uint32_t size = 0;
    for (std::size_t i = 1; i < protocol::kFrameHeader; ++i)
      size = size << 8U | static_cast<unsigned char>(head_[i]);
    const char type = head_[0];
    counts_ = type != 'N' && type != 'A' && type != 'S';
    saw_copy_ = saw_copy_ || type == 'G' || type == 'H' || type == 'W';
    if (counts_) hash({head_.data(), head_.size()});
    left_ = size >= 4 ? size - 4 : 0;
    have_ = 0;
  }
  void hash(std::string_view bytes) {
    for (const char byte : bytes) value_ = (value_ ^ static_cast<unsigned char>(byte)) * 0x100000001B3U;
  }

  std::uint64_t value_ = 0xCBF29CE484222325U;
  std::array<char, protocol::kFrameHeader> head_{};
  std::size_t have_ = 0;  // of head_
  std::size_t left_ = 0;  // of the message's body
  bool counts_ = true;
  bool saw_copy_ = false;
};

}  // namespace tidemark::proxy
