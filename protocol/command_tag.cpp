#include "protocol/command_tag.hpp"

#include <algorithm>
#include <array>

namespace tidemark::protocol {

bool tells_of_changed_rows(std::string_view body) {
  constexpr std::array<std::string_view, 4> kCommands{"UPDATE ", "INSERT 0 ", "DELETE ", "MERGE "};
  for (const std::string_view command : kCommands) {
    if (!body.starts_with(command)) continue;
    std::string_view count = body.substr(command.size());
    if (!count.empty() && count.back() == '\0') count.remove_suffix(1);
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    return std::all_of(count.begin(), count.end(), is_digit) && !count.empty() && count.front() != '0';
  }
  return false;
}

}  // namespace tidemark::protocol
