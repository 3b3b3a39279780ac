#pragma once

#include <string_view>

namespace tidemark::protocol {

/// Whether `body`, of a CommandComplete, says that an INSERT, UPDATE, DELETE or MERGE has changed at least
/// one row. Of COPY the tag alone does not tell in which direction it went. Manual: "Message Formats".
[[nodiscard]] bool tells_of_changed_rows(std::string_view body);

}  // namespace tidemark::protocol
