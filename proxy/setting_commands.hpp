#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark::proxy {

/// One change of a run-time parameter of the session that a text asks for. Manual: SET, RESET, set_config.
struct SettingCommand {
  enum class Kind : unsigned char {
    set,        ///< name, and the value if the text alone tells what SHOW will answer
    reset,      ///< name: back to what the session began with
    reset_all,  ///< RESET ALL, DISCARD ALL
    perhaps,    ///< name, which some routine sets: it may have been run
    unknown,    ///< something is set, but the text does not tell what
  };
  Kind kind = Kind::unknown;
  std::string name;  ///< in lower case
  std::optional<std::string> value;

  friend bool operator==(const SettingCommand&, const SettingCommand&) = default;
};

/// The changes that `sql` asks for, in the order of the text, LOCAL ones left out; whether they are carried
/// out is another matter. For texts of which the classifier says that they change settings. Pure.
[[nodiscard]] std::vector<SettingCommand> setting_commands(std::string_view sql);

}  // namespace tidemark::proxy
