#include "pools/membership.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <system_error>

namespace tidemark::pools {
namespace {

constexpr std::size_t kLongestHost = 253;  // RFC 1035, 2.3.4, without the final dot

bool takes_writes(std::string_view state) {
  constexpr std::array<std::string_view, 5> kStates{"single", "wait_primary", "primary", "join_primary",
                                                    "apply_settings"};
  return std::find(kStates.begin(), kStates.end(), state) != kStates.end();
}

}  // namespace

bool is_host(std::string_view text) {
  return !text.empty() && text.size() <= kLongestHost && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-' || c == '_' || c == ':';
  });
}

std::string name_of(const ServiceAddress& address) {
  std::string name = address.host;
  for (char& c : name) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  if (name.find(':') != std::string::npos) name = '[' + name + ']';
  return name + ':' + std::to_string(address.port);
}

MembershipAnswer parse_formation(const std::vector<FormationRow>& rows) {
  if (rows.size() > kMostMembers) return BadAnswer{"the formation has more than 256 nodes"};
  Membership membership;
  for (const FormationRow& row : rows) {
    if (!row.host || !row.port || !row.reported_state || !row.goal_state)
      return BadAnswer{"a node of the formation has no host, port or state"};
    if (*row.reported_state == "dropped" || *row.goal_state == "dropped") continue;
    std::uint16_t port = 0;
    const char* const end = row.port->data() + row.port->size();
    const auto [stop, error] = std::from_chars(row.port->data(), end, port);
    if (error != std::errc{} || stop != end || port == 0)
      return BadAnswer{"a node of the formation has no port between 1 and 65535"};
    if (!is_host(*row.host)) return BadAnswer{"a node of the formation has a host that cannot be one"};
    if (takes_writes(*row.reported_state) && takes_writes(*row.goal_state)) {
      if (membership.primary) return BadAnswer{"two nodes of the formation are to be the primary"};
      membership.primary = membership.nodes.size();
    }
    membership.nodes.push_back({std::string(*row.host), port});
  }
  if (membership.nodes.empty())
    return BadAnswer{"there is no node in this formation and group: are their names right?"};
  return membership;
}

}  // namespace tidemark::pools
