#pragma once

#include <string>
#include <string_view>

namespace tidemark::protocol {

/// A password as SCRAM hashes it: SASLprep (RFC 4013) of it, and its bytes as they are where that fails: text
/// that is not UTF-8, holds prohibited or unassigned characters, or comes out empty. So do PostgreSQL and
/// libpq, which also leave pure ASCII alone, control characters included. The result is a secret: wipe() it.
[[nodiscard]] std::string saslprep(std::string_view password);

}  // namespace tidemark::protocol
