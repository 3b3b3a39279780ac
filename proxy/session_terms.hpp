#pragma once

#include <cstdint>

namespace tidemark::proxy {

/// What a session waits for, if it does.
enum class SessionWait : std::uint8_t {
  none,
  marks,
  position,
  replay,
  visibility,
  judgement,
  token,
  primary,
  server,
  retry
};

/// What may become of a unit whose server is lost.
enum class SessionUnit : std::uint8_t { read, begin, opens, write, commit, rollback, in_transaction };

/// What an ErrorResponse of a server means for the session.
enum class SessionError : std::uint8_t { forward, retry, lost, ends_session };

// Pipeline tags; others are places in Session::changes_, from 1, and from kDescribeTag on in descriptions_,
// from 0.
inline constexpr std::uint32_t kUnnamedTag = UINT32_MAX;        ///< a Parse of the unnamed statement
inline constexpr std::uint32_t kSettingsTag = UINT32_MAX - 1;   ///< settings applied by us
inline constexpr std::uint32_t kQuestionTag = UINT32_MAX - 2;   ///< StateTracker::question
inline constexpr std::uint32_t kOutdatedTag = UINT32_MAX - 3;   ///< fails in place of an outdated statement
inline constexpr std::uint32_t kRefusedTag = UINT32_MAX - 4;    ///< … of a Parse that a limit forbids
inline constexpr std::uint32_t kStatementTag = UINT32_MAX - 5;  ///< an injected Describe of a statement
inline constexpr std::uint32_t kKeyTag = UINT32_MAX - 6;      ///< asks for what Session::learn_outcome needs
inline constexpr std::uint32_t kOutcomeTag = UINT32_MAX - 7;  ///< asks what became of a COMMIT
inline constexpr std::uint32_t kDescribeTag = 1U << 30U;

}  // namespace tidemark::proxy
