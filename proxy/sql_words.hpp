#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tidemark::proxy {

// A second look at single statements that the classifier has told apart already: off the path of ordinary
// transactions. Pure.

/// Skips white space and comments.
void skip_blank(std::string_view& sql);
/// Takes the next word of `sql`, in lower case, or a quoted identifier's content; skips white space and
/// comments before it. Empty at the end or at anything else.
[[nodiscard]] std::string next_word(std::string_view& sql);
/// Nothing is left but white space and semicolons.
[[nodiscard]] bool at_end(std::string_view sql);

/// A single COMMIT, ROLLBACK or the like that ends a transaction and opens no other (AND CHAIN).
[[nodiscard]] bool ends_transaction(std::string_view sql);
/// A single COMMIT or END, and neither AND CHAIN nor PREPARE TRANSACTION.
[[nodiscard]] bool commits_transaction(std::string_view sql);
/// The name that a single DEALLOCATE ends, cut off as a server does; none if it is another statement, or ALL.
[[nodiscard]] std::optional<std::string> deallocated_name(std::string_view sql);
/// A single DEALLOCATE ALL or DISCARD ALL.
[[nodiscard]] bool ends_all_statements(std::string_view sql);
/// What PostgreSQL parses in a failed transaction: its end, the way back to a savepoint, and nothing at all.
[[nodiscard]] bool may_be_parsed_when_failed(std::string_view sql);

}  // namespace tidemark::proxy
