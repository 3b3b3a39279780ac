#include "proxy/user_map.hpp"

#include <algorithm>

namespace tidemark::proxy {

namespace {
/// The library's matcher goes one level deeper for each character.
constexpr std::size_t kLongestName = 1024;
constexpr std::string_view kGroup = "\\1";
}  // namespace

UserMaps::UserMaps(std::span<const config::UserMapEntry> entries) {
  for (const auto& entry : entries) {
    Line line{entry.name, entry.system_user, std::nullopt, entry.database_user};
    if (entry.system_user.starts_with('/')) line.expression = std::regex(entry.system_user.substr(1));
    lines_.push_back(std::move(line));
  }
}

bool UserMaps::allow(std::string_view name, const std::string& system_user, std::string_view user) const {
  if (system_user.empty()) return false;
  if (name.empty()) return system_user == user;
  return std::any_of(lines_.begin(), lines_.end(), [&](const Line& line) {
    if (line.name != name) return false;
    if (!line.expression) return line.system_user == system_user && line.database_user == user;
    std::smatch match;
    if (system_user.size() > kLongestName || !std::regex_search(system_user, match, *line.expression))
      return false;
    std::string wanted = line.database_user;
    const auto group = wanted.find(kGroup);
    if (group != std::string::npos && match.size() > 1) wanted.replace(group, kGroup.size(), match[1].str());
    return wanted == user;
  });
}

}  // namespace tidemark::proxy
