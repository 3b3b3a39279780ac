#pragma once

#include <string>
#include <string_view>

#include "protocol/sqlstate.hpp"
#include "protocol/startup_messages.hpp"

namespace tidemark::protocol {

/// What a client's `options` parameter asks for: settings, in the order in which they are made, or an error
/// as PostgreSQL tells it (message and hint in its words).
struct OptionsResult {
  ParameterList settings;
  Sqlstate code = sqlstate::syntax_error;
  std::string error;  ///< empty: fine
  std::string hint;
};

/// Reads `options` as PostgreSQL 15 does: split at white space, a backslash takes the next character as it is
/// (utils/init/postinit.c, pg_split_opts); then the switches of a server's command line, of which most stand
/// for a setting and some mean nothing to a client (tcop/postgres.c, process_postgres_switches). Whether a
/// client may make such a setting, and whether it exists, is for a server to say.
[[nodiscard]] OptionsResult parse_options(std::string_view options);

}  // namespace tidemark::protocol
