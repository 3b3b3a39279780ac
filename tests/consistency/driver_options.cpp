#include "tests/consistency/driver_options.hpp"

#include <charconv>
#include <string_view>
#include <system_error>
#include <variant>
#include <vector>

namespace tidemark::consistency {
namespace {

using Target = std::variant<std::string*, std::uint32_t*, std::uint64_t*, double*, bool*, Protocol*, Think*>;

struct Option {
  std::string_view name;
  Target target;
  std::string_view meaning;
};

std::vector<Option> table(DriverOptions& o) {
  return {
      {"--conninfo", &o.conninfo, "libpq connection string of what is tested"},
      {"--primary", &o.primary,
       "connection string for the first and last look at the table (default: --conninfo)"},
      {"--writers", &o.writers, "sessions that write a key of their own and read it back"},
      {"--reads-per-write", &o.reads_per_write, "reads after each write"},
      {"--counters", &o.counters, "keys that counter writers advance"},
      {"--counter-writers", &o.counter_writers, "sessions that advance the counters"},
      {"--counter-readers", &o.counter_readers, "sessions that read the counters"},
      {"--shared", &o.shared, "sessions that read and write common keys"},
      {"--shared-keys", &o.shared_keys, "how many common keys"},
      {"--seconds", &o.seconds, "how long"},
      {"--reads", &o.reads, "end after so many reads (0: by time alone)"},
      {"--think-ms", &o.think_ms, "mean pause between a session's transactions"},
      {"--think", &o.think, "fixed | uniform | exponential"},
      {"--counter-think-ms", &o.counter_think_ms, "pause of the counter writers"},
      {"--protocol", &o.protocol, "simple | extended | prepared | mixed"},
      {"--transactions", &o.transactions, "share of explicit transactions, 0 to 1"},
      {"--threads", &o.threads, "threads of the driver"},
      {"--seed", &o.seed, "of all choices"},
      {"--statement-timeout", &o.statement_timeout, "seconds until an answer counts as stuck"},
      {"--min-own-reads", &o.demands.reads_after_own_write,
       "reads after an own write, or the run proves nothing"},
      {"--min-advancing-reads", &o.demands.reads_of_advancing_key, "reads of an advancing key, likewise"},
      {"--min-nodes", &o.demands.nodes, "servers that answered reads, likewise"},
      {"--json", &o.json, "print the summary as one JSON object"},
  };
}

bool read(std::string_view text, std::string* target) {
  *target = text;
  return true;
}

template <typename Number>
bool read(std::string_view text, Number* target) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *target);
  return error == std::errc{} && end == text.data() + text.size() && *target >= Number{};
}

bool read(std::string_view text, Protocol* target) {
  constexpr std::string_view names[] = {"simple", "extended", "prepared", "mixed"};
  for (std::uint8_t i = 0; i < 4; ++i)
    if (text == names[i]) {
      *target = Protocol{i};
      return true;
    }
  return false;
}

bool read(std::string_view text, Think* target) {
  constexpr std::string_view names[] = {"fixed", "uniform", "exponential"};
  for (std::uint8_t i = 0; i < 3; ++i)
    if (text == names[i]) {
      *target = Think{i};
      return true;
    }
  return false;
}

}  // namespace

std::string usage() {
  DriverOptions defaults;
  std::string text = "usage: history_driver --conninfo CONNINFO [--name value ...]\n\n";
  for (const Option& option : table(defaults)) {
    text += "  " + std::string(option.name) + std::string(24 - option.name.size(), ' ') +
            std::string(option.meaning);
    text += "\n";
  }
  text +=
      "\nThe table kv(key int primary key, version bigint) must exist with keys from 0 on.\n"
      "Exit: 0 all guarantees held, 1 violations, 2 could not run, 3 the run proves nothing.\n";
  return text;
}

std::optional<DriverOptions> parse_options(int count, char** arguments, std::string& error) {
  DriverOptions options;
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
    if (bool* const* flag = std::get_if<bool*>(&option->target)) {
      **flag = true;
      continue;
    }
    const std::string_view value = i + 1 < count ? arguments[++i] : "";
    const bool good = std::visit(
        [value](auto* target) {
          if constexpr (std::is_same_v<decltype(target), bool*>)
            return false;
          else
            return read(value, target);
        },
        option->target);
    if (!good) {
      error = std::string(name) + ": not a value for it: '" + std::string(value) + "'";
      return std::nullopt;
    }
  }
  if (options.conninfo.empty()) error = "--conninfo is missing";
  if (options.threads == 0) error = "--threads must be at least 1";
  if (options.sessions() == 0) error = "no sessions";
  if (options.counter_writers + options.counter_readers > 0 && options.counters == 0)
    error = "--counters must not be 0";
  if (options.shared > 0 && options.shared_keys == 0) error = "--shared-keys must not be 0";
  if (options.transactions > 1) error = "--transactions is a share, 0 to 1";
  if (!error.empty()) return std::nullopt;
  if (options.primary.empty()) options.primary = options.conninfo;
  return options;
}

}  // namespace tidemark::consistency
