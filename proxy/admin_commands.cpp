#include "proxy/admin_commands.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>

#include "proxy/sql_words.hpp"

namespace tidemark::proxy {
namespace {

using Kind = AdminCommand::Kind;

constexpr auto kHelp = std::to_array<AdminHelp>({
    {"SHOW HELP", "these commands"},
    {"SHOW VERSION", "the proxy's version"},
    {"SHOW NODES", "the servers of the cluster: role, fault, lag, whether they are read and whether drained"},
    {"SHOW POOLS", "server connections by node, database and user, and who waits for one"},
    {"SHOW CLIENTS", "client connections, what they do and where"},
    {"SHOW SERVERS", "server connections"},
    {"SHOW REPLICATION", "who follows whom, by how many bytes and seconds, and whether synchronously"},
    {"SHOW SLOTS", "replication slots, and what they retain"},
    {"SHOW ALERTS", "what is wrong with replication now, since when, and what to do"},
    {"SHOW STATE", "the proxy as a whole; SHOW LISTS is the same"},
    {"SHOW CONFIG", "every key of the configuration, as the file now says it"},
    {"RELOAD", "reads the configuration file again, as SIGHUP does"},
    {"PAUSE", "lets no transaction begin, and waits until none is open on a server"},
    {"RESUME", "ends PAUSE"},
    {"DRAIN '<host:port>'",
     "lets nothing new go to a node, and waits until no server connection to it is left"},
    {"UNDRAIN '<host:port>'", "ends DRAIN"},
});

struct Name {
  std::string_view text;
  Kind kind;
};
constexpr auto kShows = std::to_array<Name>({{"help", Kind::show_help},
                                             {"version", Kind::show_version},
                                             {"nodes", Kind::show_nodes},
                                             {"pools", Kind::show_pools},
                                             {"clients", Kind::show_clients},
                                             {"servers", Kind::show_servers},
                                             {"state", Kind::show_state},
                                             {"lists", Kind::show_state},
                                             {"config", Kind::show_config},
                                             {"alerts", Kind::show_alerts},
                                             {"replication", Kind::show_replication},
                                             {"slots", Kind::show_slots}});
constexpr auto kOthers =
    std::to_array<Name>({{"reload", Kind::reload}, {"pause", Kind::pause}, {"resume", Kind::resume}});
/// What drivers set when they connect, whatever is at the other end.
constexpr auto kDriverParameters = std::to_array<std::string_view>(
    {"application_name", "client_encoding", "client_min_messages", "datestyle", "extra_float_digits",
     "intervalstyle", "standard_conforming_strings", "timezone"});
constexpr std::size_t kMostShown = 60;

template <class Names>
std::optional<Kind> find(const Names& names, std::string_view word) {
  for (const Name& name : names) {
    if (name.text == word) return name.kind;
  }
  return std::nullopt;
}

/// As much of somebody else's text as fits into a message.
std::string shown(std::string_view text) {
  std::string out(text.substr(0, kMostShown));
  for (char& c : out) {
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  }
  if (text.size() > kMostShown) {
    while (!out.empty() && (static_cast<unsigned char>(out.back()) & 0xc0U) == 0x80U) out.pop_back();
    out += "…";
  }
  return out;
}

AdminCommand mistake(std::string what) {
  return {Kind::mistake, std::move(what)};
}

/// Takes a name in single or double quotes, in which the quotation mark itself is written twice, or a bare
/// one up to the next blank or semicolon; none if it is missing or has no end.
std::optional<std::string> take_name(std::string_view& sql) {
  skip_blank(sql);
  if (sql.empty() || sql.front() == ';') return std::nullopt;
  std::string name;
  const char quote = sql.front();
  if (quote != '\'' && quote != '"') {
    while (!sql.empty() && sql.front() != ';' && std::isspace(static_cast<unsigned char>(sql.front())) == 0) {
      name.push_back(sql.front());
      sql.remove_prefix(1);
    }
    return name;
  }
  sql.remove_prefix(1);
  while (!sql.empty()) {
    const char c = sql.front();
    sql.remove_prefix(1);
    if (c == quote) {
      if (!sql.starts_with(quote)) return name.empty() ? std::nullopt : std::optional(name);
      sql.remove_prefix(1);
    }
    name.push_back(c);
  }
  return std::nullopt;
}

AdminCommand with_node(Kind kind, std::string_view word, std::string_view rest) {
  auto node = take_name(rest);
  if (!node) {
    return mistake(std::string(word) + " needs a node, as SHOW NODES names it: " + std::string(word) +
                   " '10.0.0.1:5432'");
  }
  if (!at_end(rest)) return mistake("nothing may follow the node: \"" + shown(rest) + "\"");
  return {kind, std::move(*node)};
}

}  // namespace

std::span<const AdminHelp> admin_help() {
  return kHelp;
}

std::string admin_command_list() {
  std::string list;
  for (const AdminHelp& help : kHelp) list.append(list.empty() ? "" : ", ").append(help.command);
  return list;
}

AdminCommand parse_admin_command(std::string_view text) {
  if (at_end(text)) return {};
  std::string_view rest = text;
  const std::string word = next_word(rest);
  if (word == "drain") return with_node(Kind::drain, "DRAIN", rest);
  if (word == "undrain") return with_node(Kind::undrain, "UNDRAIN", rest);
  if (word == "set") {
    std::string parameter = next_word(rest);
    if (parameter == "session") parameter = next_word(rest);
    if (std::ranges::find(kDriverParameters, parameter) != kDriverParameters.end())
      return {Kind::set, std::move(parameter)};
    return mistake("nothing can be set on the admin console: \"" + shown(text) + "\"");
  }
  if (word == "begin" || word == "start" || word == "commit" || word == "rollback") {
    return mistake("there are no transactions on the admin console: use autocommit");
  }
  auto kind = find(kOthers, word);
  if (word == "show") {
    kind = find(kShows, next_word(rest));
    if (!kind) return mistake("there is no such thing to show: \"" + shown(text) + "\"");
  }
  if (!kind) return mistake("unknown command: \"" + shown(text) + "\"");
  if (!at_end(rest)) return mistake("nothing may follow the command: \"" + shown(rest) + "\"");
  return {*kind, {}};
}

}  // namespace tidemark::proxy
