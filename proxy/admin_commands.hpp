#pragma once

#include <span>
#include <string>
#include <string_view>

namespace tidemark::proxy {

/// The database that is the admin console, on no server.
inline constexpr std::string_view kAdminDatabase = "tidemark";

/// One command of the admin console.
struct AdminCommand {
  enum class Kind : unsigned char {
    empty,    ///< nothing but blanks and semicolons
    mistake,  ///< `argument` says what is wrong
    set,      ///< a parameter that drivers set when they connect; has no effect
    show_help,
    show_version,
    show_nodes,
    show_pools,
    show_clients,
    show_servers,
    show_state,
    show_config,
    show_alerts,
    show_replication,
    show_slots,
    reload,
    pause,
    resume,
    drain,    ///< `argument`: the node
    undrain,  ///< likewise
  };
  Kind kind = Kind::empty;
  std::string argument;

  /// Whoever may look may give it, whoever is not an admin.
  [[nodiscard]] bool only_shows() const { return kind <= Kind::show_slots; }
  friend bool operator==(const AdminCommand&, const AdminCommand&) = default;
};

/// Reads one command: in any case, with or without a semicolon; a node in single or double quotes, or bare.
/// Never fails otherwise than by Kind::mistake. Pure.
[[nodiscard]] AdminCommand parse_admin_command(std::string_view text);

/// What there is, a line for each command: "SHOW NODES", and what it is for.
struct AdminHelp {
  std::string_view command;
  std::string_view meaning;
};
[[nodiscard]] std::span<const AdminHelp> admin_help();

/// All commands on one line, for hints.
[[nodiscard]] std::string admin_command_list();

}  // namespace tidemark::proxy
