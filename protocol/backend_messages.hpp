#pragma once

#include <optional>
#include <string>
#include <string_view>

#include <absl/container/inlined_vector.h>

namespace tidemark::protocol {

// Backend messages that the proxy itself sends; each function appends one whole message.

void append_ready_for_query(std::string& out, char transaction_status);
void append_command_complete(std::string& out, std::string_view tag);
void append_parameter_status(std::string& out, std::string_view name, std::string_view value);

// And those of the answers to its own questions.

using DataRow = absl::InlinedVector<std::optional<std::string_view>, 4>;
/// The values of a DataRow's `body`, null for NULL; nullopt if it is malformed or has more than 64 columns.
[[nodiscard]] std::optional<DataRow> parse_data_row(std::string_view body);

inline constexpr std::string_view kParseComplete{"1\0\0\0\4", 5};
inline constexpr std::string_view kBindComplete{"2\0\0\0\4", 5};
inline constexpr std::string_view kCloseComplete{"3\0\0\0\4", 5};
inline constexpr std::string_view kDeallocated{
    "C\0\0\0\x0f"
    "DEALLOCATE\0",
    16};  ///< CommandComplete
inline constexpr std::string_view kNoData{"n\0\0\0\4", 5};
/// ParameterDescription of a statement without parameters.
inline constexpr std::string_view kNoParameters{"t\0\0\0\6\0\0", 7};

}  // namespace tidemark::protocol
