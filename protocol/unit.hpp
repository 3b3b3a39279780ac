#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <absl/container/inlined_vector.h>

namespace tidemark::protocol {

/// One frontend message inside a unit, by its place: bytes move when a buffer grows, offsets stay.
struct FrontendMessage {
  char type = 0;
  std::uint32_t offset = 0;  ///< of the type byte, from the unit's start
  std::uint32_t size = 0;    ///< of the whole message

  [[nodiscard]] std::string_view whole(std::string_view unit) const { return unit.substr(offset, size); }
  [[nodiscard]] std::string_view body(std::string_view unit) const {
    return unit.substr(offset + 5, size - 5);
  }
};

/// What a client sends before it waits for an answer: a Query, or extended-protocol messages up to Sync. It
/// is routed as a whole, because it is one implicit transaction. Manual: "Extended Query", "Pipelining".
struct Unit {
  enum class End : std::uint8_t {
    incomplete,  ///< more bytes are needed
    query,       ///< a Query message
    sync,
    flush,    ///< the client waits for answers, but the implicit transaction goes on
    partial,  ///< its messages are complete, its end has not come: COPY data follows, or no more can be held
    function_call,
    terminate,
    stray_copy,  ///< CopyData, CopyDone or CopyFail outside COPY: the server ignores them, and so do we
    invalid,     ///< what follows `messages` is no frontend message, or has an impossible length
  };

  absl::InlinedVector<FrontendMessage, 6> messages;
  std::size_t size = 0;  ///< bytes of `messages`
  End end = End::incomplete;

  /// Continues to scan `bytes`, which begin where the unit begins and have only grown since the last call.
  End scan(std::string_view bytes);
  /// The message after those scanned, once its head is there; size 0 when it is not. For messages too long to
  /// be held.
  [[nodiscard]] FrontendMessage next_head(std::string_view bytes) const;
  /// Takes the messages from the `count`-th on out again: they are scanned anew when the rest is done.
  void cut(std::size_t count);
  void clear();
};

}  // namespace tidemark::protocol
