#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "routing/wal_position.hpp"

namespace tidemark::routing {

// A position as an opaque text that an application can keep: README.md, "Tokens". Its checksum guards against
// accidents, not against forgers: whoever invents a token can make their own reads wait, no more.

enum class TokenFault : std::uint8_t {
  malformed,      ///< no token at all
  other_version,  ///< of another version of this format
  damaged,        ///< the checksum says so
};

/// "malformed", "of another version", "damaged".
[[nodiscard]] std::string_view to_string(TokenFault fault);

/// Every token of this version has so many bytes: letters, digits, '-', '_' and one dot.
inline constexpr std::size_t kPositionTokenSize = 36;

/// The same text for the same position in every process.
[[nodiscard]] std::string print_position_token(const WalPosition& position);

/// What print_position_token() was given. Whether the position is of this cluster is for the caller to say.
[[nodiscard]] std::variant<WalPosition, TokenFault> parse_position_token(std::string_view text);

/// A token of somebody who has not written yet holds such a position; its system identifier may be known.
[[nodiscard]] constexpr bool requires_nothing(const WalPosition& position) {
  return position.lsn.value == 0 && position.timeline.value == 0;
}

}  // namespace tidemark::routing
