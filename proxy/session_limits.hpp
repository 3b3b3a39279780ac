#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace tidemark::proxy {

/// A unit up to this many bytes is held whole: it is classified, and can be sent again. A longer one is passed
/// on as it comes, to the primary.
inline constexpr std::size_t kMaxHeldUnit = 1024 * 1024;
/// A Parse is held whole up to here, because it must be kept to be prepared elsewhere, and a Query, because it
/// must be known what it leaves in its session.
inline constexpr std::size_t kMaxHeldText = 16 * 1024 * 1024;
/// A backend message longer than this is passed on in parts; shorter ones only whole, so that an error of ours
/// can follow.
inline constexpr std::size_t kMaxHeldReply = 32 * 1024;
/// How often one unit may be sent again, and how long to wait before it is tried again.
inline constexpr std::uint8_t kMaxAttempts = 20;
inline constexpr std::chrono::milliseconds kRetryInterval{20};
/// Greetings kept per pool group.
inline constexpr std::size_t kMaxWelcomes = 64;

}  // namespace tidemark::proxy
