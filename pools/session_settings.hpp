#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidemark::pools {

/// Run-time parameters that a client asked for in its startup packet, sorted by lower-case name: what a
/// server connection must have set before it serves that client. Immutable and shared; equal sets are one
/// object.
struct SessionSettings {
  std::vector<std::pair<std::string, std::string>> values;
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

/// The statements that take a server connection from settings `from` to `to`. Safe for any value.
[[nodiscard]] std::string settings_change(const SessionSettings& from, const SessionSettings& to);

}  // namespace tidemark::pools
