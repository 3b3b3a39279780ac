#pragma once

#include <string>
#include <string_view>

namespace tidemark::protocol {

// Backend messages that the proxy itself sends; each function appends one whole message.

void append_ready_for_query(std::string& out, char transaction_status);
void append_command_complete(std::string& out, std::string_view tag);
void append_parameter_status(std::string& out, std::string_view name, std::string_view value);

inline constexpr std::string_view kParseComplete{"1\0\0\0\4", 5};
inline constexpr std::string_view kBindComplete{"2\0\0\0\4", 5};
inline constexpr std::string_view kCloseComplete{"3\0\0\0\4", 5};
inline constexpr std::string_view kNoData{"n\0\0\0\4", 5};
/// ParameterDescription of a statement without parameters.
inline constexpr std::string_view kNoParameters{"t\0\0\0\6\0\0", 7};

}  // namespace tidemark::protocol
