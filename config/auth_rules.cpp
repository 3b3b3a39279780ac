#include "config/auth_rules.hpp"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <map>
#include <optional>
#include <regex>
#include <string>
#include <utility>

#include "config/text.hpp"

namespace tidemark::config {
namespace {

template <typename Enum>
using Names = std::initializer_list<std::pair<std::string_view, Enum>>;

template <typename Enum>
std::optional<Enum> choice(const Document& table, std::string_view path, Names<Enum> names) {
  const auto* text = table.get<std::string>(path);
  if (text == nullptr) return std::nullopt;
  for (const auto& [name, meaning] : names) {
    if (name == *text) return meaning;
  }
  return std::nullopt;
}

class RuleReader {
 public:
  RuleReader(std::string_view file_name, std::vector<Problem>& problems)
      : file_name_(file_name), problems_(problems) {}

  std::optional<AuthRule> read(const Document& table) {
    sound_ = true;
    AuthRule rule;
    rule.line = table.at.line;
    const auto type = choice<ConnectionType>(table, "auth.rule.type",
                                             {{"local", ConnectionType::local},
                                              {"host", ConnectionType::host},
                                              {"hostssl", ConnectionType::hostssl},
                                              {"hostnossl", ConnectionType::hostnossl}});
    const auto method = choice<AuthMethod>(table, "auth.rule.method",
                                           {{"scram-sha-256", AuthMethod::scram_sha_256},
                                            {"md5", AuthMethod::md5},
                                            {"cert", AuthMethod::cert},
                                            {"trust", AuthMethod::trust},
                                            {"reject", AuthMethod::reject}});
    const auto name = choice<CertificateName>(
        table, "auth.rule.clientname",
        {{"CN", CertificateName::common_name}, {"DN", CertificateName::distinguished_name}});
    if (const auto* map = table.get<std::string>("auth.rule.map")) rule.map = *map;
    require(table, "auth.rule.type", "which connections is this rule for?");
    require(table, "auth.rule.method", "what should this rule do?");
    rule.type = type.value_or(rule.type);
    rule.method = method.value_or(rule.method);
    rule.client_name = name.value_or(rule.client_name);
    rule.databases = names(table, "auth.rule.database", {"sameuser"});
    rule.users = names(table, "auth.rule.user", {});
    const bool knows_type = type.has_value();
    const bool has_address = !knows_type || read_address(table, rule);
    if (knows_type && method) check_method(table, rule, has_address);
    return sound_ && knows_type && method ? std::optional(std::move(rule)) : std::nullopt;
  }

 private:
  void error(Position where, std::string message) {
    sound_ = false;
    problems_.push_back({Severity::error, std::string(file_name_), where, std::move(message)});
  }
  void require(const Document& table, std::string_view path, std::string_view question) {
    if (table.find(path) == nullptr)
      error(table.at, in_quotes(path) + " is missing: " + std::string(question));
  }
  static Position place(const Document& table, std::string_view path) {
    const Entry* entry = table.find(path);
    return entry == nullptr ? table.at : entry->value_at;
  }

  /// A list of names; "all" if the key is not there. Words of pg_hba.conf that we do not know would otherwise
  /// be taken for the name of a database or user, and the rule would silently match nobody.
  std::vector<std::string> names(const Document& table, std::string_view path,
                                 std::initializer_list<std::string_view> keywords) {
    const Entry* entry = table.find(path);
    if (entry == nullptr) return {"all"};
    std::vector<std::string> out;
    const auto* items = table.get<std::vector<Item>>(path);
    if (items == nullptr) {
      sound_ = false;
      return out;
    }
    if (items->empty()) error(entry->value_at, in_quotes(path) + " names nobody: leave it out for \"all\"");
    for (const Item& item : *items) {
      constexpr std::array<std::string_view, 4> foreign = {"samerole", "samegroup", "replication",
                                                           "sameuser"};
      const auto is = [&](std::string_view word) { return item.text == word; };
      const bool known = std::any_of(keywords.begin(), keywords.end(), is);
      const bool keyword = path == "auth.rule.database" && std::any_of(foreign.begin(), foreign.end(), is);
      if (item.text.empty()) {
        error(item.where, "an element of " + in_quotes(path) + " must not be empty");
      } else if (keyword && !known) {
        error(item.where, in_quotes(item.text) + " is not supported in " + in_quotes(path));
      } else if (std::string_view("+/@").find(item.text.front()) != std::string_view::npos) {
        error(item.where, in_quotes(item.text) + " in " + in_quotes(path) +
                              ": groups, regular expressions and files are not supported, only names");
      } else {
        out.push_back(item.text);
      }
    }
    return out;
  }

  bool read_address(const Document& table, AuthRule& rule) {
    constexpr std::string_view path = "auth.rule.address";
    const Entry* entry = table.find(path);
    if (rule.type == ConnectionType::local) {
      if (entry != nullptr)
        error(entry->key_at, in_quotes(path) + " has no meaning for \"local\": a Unix socket has no address");
      return true;
    }
    if (entry == nullptr) {
      error(table.at, in_quotes(path) + " is missing: whose connections? \"all\" for every address");
      return false;
    }
    const auto* text = table.get<std::string>(path);
    if (text == nullptr) {
      sound_ = false;
      return false;
    }
    const auto range = parse_address_range(*text);
    if (const auto* bad = std::get_if<BadRange>(&range)) {
      error(entry->value_at, "address " + in_quotes(*text) + ": " + bad->reason);
      return false;
    }
    rule.address = std::get<AddressRange>(range);
    return true;
  }

  void check_method(const Document& table, const AuthRule& rule, bool knows_address) {
    const bool certificate = rule.method == AuthMethod::cert;
    if (rule.method == AuthMethod::trust && rule.type != ConnectionType::local && knows_address &&
        !rule.address.is_this_machine_only()) {
      error(place(table, "auth.rule.method"),
            "\"trust\" lets everybody in, so it is for Unix sockets and addresses of this machine only, such "
            "as \"127.0.0.1/32\"");
    }
    if (certificate && rule.type != ConnectionType::hostssl) {
      error(place(table, "auth.rule.method"),
            "\"cert\" needs a certificate, so the rule's type must be \"hostssl\"");
    }
    for (const std::string_view path : {"auth.rule.map", "auth.rule.clientname"}) {
      if (const Entry* entry = table.find(path); entry != nullptr && !certificate)
        error(entry->key_at, in_quotes(path) + " has a meaning for method \"cert\" only");
    }
  }

  std::string_view file_name_;
  std::vector<Problem>& problems_;
  bool sound_ = true;
};

/// A line of a user map, or what is wrong with it.
std::optional<UserMapEntry> read_map(const Document& table, std::string_view file_name,
                                     std::vector<Problem>& problems) {
  const auto error = [&](Position where, std::string message) {
    problems.push_back({Severity::error, std::string(file_name), where, std::move(message)});
  };
  UserMapEntry line;
  bool complete = true;
  const auto field = [&](std::string_view path, std::string& into) {
    if (const auto* text = table.get<std::string>(path)) {
      into = *text;
      return;
    }
    complete = false;
    if (table.find(path) == nullptr) error(table.at, in_quotes(path) + " is missing");
  };
  field("auth.user_map.name", line.name);
  field("auth.user_map.system_user", line.system_user);
  field("auth.user_map.database_user", line.database_user);
  if (!complete) return std::nullopt;
  const bool takes_group = line.database_user.find("\\1") != std::string::npos;
  const Position system_at = table.find("auth.user_map.system_user")->value_at;
  const Position database_at = table.find("auth.user_map.database_user")->value_at;
  if (!line.system_user.starts_with('/')) {
    if (takes_group) {
      error(database_at,
            "\\1 needs a \"system_user\" that is a regular expression, which begins with a slash");
      return std::nullopt;
    }
    return line;
  }
  try {
    const std::regex expression(line.system_user.substr(1));
    if (!takes_group || expression.mark_count() > 0) return line;
    error(database_at, "\\1 needs a group in parentheses in \"system_user\"");
  } catch (const std::regex_error& failure) {
    error(system_at, "not a regular expression: " + in_quotes(failure.what()));
  }
  return std::nullopt;
}

}  // namespace

AuthRulesReading read_auth_rules(const Document& document, std::string_view file_name) {
  AuthRulesReading reading;
  RuleReader reader(file_name, reading.problems);
  for (const Document& table : document.list("auth.rule")) {
    if (auto rule = reader.read(table)) reading.rules.push_back(*std::move(rule));
  }
  std::map<std::string, Position> maps;
  for (const Document& table : document.list("auth.user_map")) {
    if (const auto* name = table.get<std::string>("auth.user_map.name")) maps.try_emplace(*name, table.at);
    if (auto line = read_map(table, file_name, reading.problems))
      reading.user_maps.push_back(*std::move(line));
  }
  for (const Document& table : document.list("auth.rule")) {
    const auto* map = table.get<std::string>("auth.rule.map");
    if (map == nullptr || maps.contains(*map)) continue;
    reading.problems.push_back({Severity::error, std::string(file_name),
                                table.find("auth.rule.map")->value_at,
                                "there is no [[auth.user_map]] of the name " + in_quotes(*map)});
  }
  return reading;
}

}  // namespace tidemark::config
