#pragma once

#include <optional>
#include <regex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace tidemark::proxy {

/// Which certificates may log in as which users: the lines of pg_ident.conf (manual, "User Name Maps").
/// Immutable; any thread.
class UserMaps {
 public:
  UserMaps() = default;
  /// The configuration has checked the regular expressions; throws std::regex_error for others.
  explicit UserMaps(std::span<const config::UserMapEntry> entries);

  /// Whether a line of the map `name` lets `system_user` be `user`. Without a name the two must be the same.
  [[nodiscard]] bool allow(std::string_view name, const std::string& system_user,
                           std::string_view user) const;

 private:
  struct Line {
    std::string name;
    std::string system_user;               ///< unless there is an expression
    std::optional<std::regex> expression;  ///< found anywhere in the name
    std::string database_user;
  };
  std::vector<Line> lines_;
};

}  // namespace tidemark::proxy
