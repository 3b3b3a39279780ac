#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace tidemark::proxy {

/// A unit up to this many bytes is held whole: it is classified, and can be sent again. A longer one is
/// passed on as it comes, to the primary.
inline constexpr std::size_t kMaxHeldUnit = 1024 * 1024;
/// A Parse is held whole up to here, because it must be kept to be prepared elsewhere, and a Query, because
/// it must be known what it leaves in its session.
inline constexpr std::size_t kMaxHeldText = 16 * 1024 * 1024;
/// A backend message longer than this is passed on in parts; shorter ones only whole, so that an error of
/// ours can follow.
inline constexpr std::size_t kMaxHeldReply = 32 * 1024;
/// How often one unit may be sent again, and how long to wait before it is tried again.
inline constexpr std::uint8_t kMaxAttempts = 5;
inline constexpr std::chrono::milliseconds kRetryInterval{20};
/// How long a read that goes from a replica to the primary waits for commits that the primary does not show
/// yet. A long statement that writes cannot be told from one that is committing, so this is bounded.
inline constexpr std::chrono::seconds kVisibilityWait{1};
/// After so many answers that a CALL or DO has left nothing in its session, that one is not asked about any
/// more.
inline constexpr std::uint8_t kHarmlessAnswers = 16;
inline constexpr std::size_t kMaxHarmlessCalls = 1024;
/// What a server says of a COPY that a client ends by something else than COPY data.
inline constexpr std::string_view kNoCopyData =
    "only CopyData, CopyDone and CopyFail may be sent during COPY FROM STDIN";
/// Greetings kept per pool group.
inline constexpr std::size_t kMaxWelcomes = 64;

}  // namespace tidemark::proxy
