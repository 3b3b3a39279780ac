#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidemark::pools {

/// Run-time parameters of a session that differ from what a login to the server gives, sorted by lower-case
/// name: what a server connection must have set before it serves that session. Immutable and shared; equal
/// sets are one object.
struct SessionSettings {
  std::vector<std::pair<std::string, std::string>> values;

  /// Null when it is not set. `name` in lower case.
  [[nodiscard]] const std::string* find(std::string_view name) const;
  void set(std::string_view name, std::string_view value);
  void erase(std::string_view name);
  friend bool operator<(const SessionSettings& a, const SessionSettings& b) { return a.values < b.values; }
};
using SettingsPointer = std::shared_ptr<const SessionSettings>;

/// Keeps one object per distinct set while somebody uses it. One thread.
class SettingsTable {
 public:
  [[nodiscard]] SettingsPointer intern(SessionSettings settings);
  [[nodiscard]] const SettingsPointer& none() const { return none_; }

 private:
  SettingsPointer none_ = std::make_shared<const SessionSettings>();
  std::map<SessionSettings, std::weak_ptr<const SessionSettings>> known_;
  std::size_t sweep_at_ = 64;
};

/// Whether `name` may be a parameter's name: letters, digits, '_', '$' and dots between them.
[[nodiscard]] bool is_parameter_name(std::string_view name);

/// The queries, each of one message, that take a server connection from settings `from` to `to`; none when
/// there is no difference. Safe for any value.
[[nodiscard]] std::vector<std::string> settings_change(const SessionSettings& from,
                                                       const SessionSettings& to);

}  // namespace tidemark::pools
