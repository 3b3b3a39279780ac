#include "tests/soak/options.hpp"

#include <charconv>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <variant>

namespace tidemark::soak {
namespace {

using Target = std::variant<std::string*, std::vector<std::string>*, std::uint16_t*, std::uint32_t*,
                            std::uint64_t*, double*>;

struct Option {
  std::string_view name;
  Target target;
  std::string_view meaning;
};

std::vector<Option> table(Options& o) {
  return {
      {"--port", &o.port, "of what is tested, on 127.0.0.1"},
      {"--user", &o.users, "name:password; repeatable"},
      {"--database", &o.databases, "with the table ledger(owner text, token text, n int); repeatable"},
      {"--clients", &o.clients, "how many"},
      {"--seconds", &o.seconds, "how long"},
      {"--seed", &o.seed, "of all choices"},
      {"--think-ms", &o.think_ms, "mean pause between a client's operations"},
      {"--vanish", &o.vanish, "share of operations in which a client goes away"},
      {"--stay", &o.stay, "mean number of operations of a connection"},
      {"--patience", &o.patience, "seconds until a client counts as stuck"},
      {"--only", &o.only, "operations whose name contains this"},
  };
}

bool read(std::string_view text, std::string* target) {
  *target = text;
  return true;
}

bool read(std::string_view text, std::vector<std::string>* target) {
  target->emplace_back(text);
  return !text.empty();
}

template <typename Number>
bool read(std::string_view text, Number* target) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *target);
  return error == std::errc{} && end == text.data() + text.size() && *target >= Number{};
}

}  // namespace

std::string usage() {
  Options defaults;
  std::string text =
      "usage: soak_driver --port PORT --user NAME:PASSWORD --database NAME [--name value ...]\n\n";
  for (const Option& option : table(defaults)) {
    text += "  " + std::string(option.name) + std::string(14 - option.name.size(), ' ') +
            std::string(option.meaning) + "\n";
  }
  return text +
         "\nPrints one JSON object.\n"
         "Exit: 0 every answer was right, 1 findings, 2 could not run, 3 the run proves nothing.\n";
}

std::optional<Options> parse_options(int count, char** arguments, std::string& error) {
  Options options;
  const std::vector<Option> known = table(options);
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    const Option* option = nullptr;
    for (const Option& candidate : known)
      if (candidate.name == name) option = &candidate;
    if (option == nullptr) {
      error = "unknown option " + std::string(name);
      return std::nullopt;
    }
    const std::string_view value = i + 1 < count ? arguments[++i] : "";
    if (!std::visit([value](auto* target) { return read(value, target); }, option->target)) {
      error = std::string(name) + ": not a value for it: '" + std::string(value) + "'";
      return std::nullopt;
    }
  }
  if (options.port == 0) error = "--port is missing";
  if (options.users.empty()) error = "--user is missing";
  for (const std::string& user : options.users)
    if (user.find(':') == std::string::npos) error = "--user: NAME:PASSWORD";
  if (options.databases.empty()) error = "--database is missing";
  if (options.clients == 0) error = "no clients";
  if (!error.empty()) return std::nullopt;
  return options;
}

}  // namespace tidemark::soak
