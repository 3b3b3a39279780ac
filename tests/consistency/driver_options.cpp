#include "tests/consistency/driver_options.hpp"

#include <charconv>
#include <string_view>
#include <system_error>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace tidemark::consistency {
namespace {

using Target = std::variant<std::string*, std::uint32_t*, std::uint64_t*, double*, bool*, Protocol*, Think*,
                            Saying*, LaterReads*, Guarantee*>;

struct Option {
  std::string_view name;
  Target target;
  std::string_view meaning;
};

std::vector<Option> table(DriverOptions& o) {
  return {
      {"--conninfo", &o.conninfo, "libpq connection string of what is tested"},
      {"--second", &o.second, "another one, for every other connection of users"},
      {"--primary", &o.primary,
       "connection string for the first and last look at the table (default: --conninfo)"},
      {"--writers", &o.writers, "sessions that write a key of their own and read it back"},
      {"--reads-per-write", &o.reads_per_write, "reads after each write"},
      {"--counters", &o.counters, "keys that counter writers advance"},
      {"--counter-writers", &o.counter_writers, "sessions that advance the counters"},
      {"--counter-readers", &o.counter_readers, "sessions that read the counters"},
      {"--shared", &o.shared, "sessions that read and write common keys"},
      {"--shared-keys", &o.shared_keys, "how many common keys"},
      {"--users", &o.users, "users of several connections, who do all of that"},
      {"--connections-per-user", &o.connections_per_user, "how many connections"},
      {"--identify", &o.identify, "how users say who they are: set | startup | hint | mixed | nothing"},
      {"--concurrent", &o.concurrent, "share of the users that do two things at once"},
      {"--tokens", &o.tokens, "share of the users that carry a token from connection to connection"},
      {"--level", &o.level, "level that every session asks for"},
      {"--max-staleness", &o.max_staleness, "bound that every session asks for"},
      {"--level-by", &o.level_by, "how it asks: set | startup | hint | mixed | default (not at all)"},
      {"--seconds", &o.seconds, "how long"},
      {"--reads", &o.reads, "end after so many reads (0: by time alone)"},
      {"--think-ms", &o.think_ms, "mean pause between a session's transactions"},
      {"--think", &o.think, "fixed | uniform | exponential"},
      {"--counter-think-ms", &o.counter_think_ms, "pause of the counter writers"},
      {"--protocol", &o.protocol, "simple | extended | prepared | pipeline | mixed"},
      {"--transactions", &o.transactions, "share of explicit transactions, 0 to 1"},
      {"--reads-among-writes", &o.reads_among_writes,
       "share of the writes that read something before, in their transaction or pipeline"},
      {"--pipelined", &o.pipelined, "share of what `pipeline` sends several statements at once for"},
      {"--threads", &o.threads, "threads of the driver"},
      {"--seed", &o.seed, "of all choices"},
      {"--statement-timeout", &o.statement_timeout, "seconds until an answer counts as stuck"},
      {"--judge", &o.judge,
       "what counts as a violation: strong | session | read_your_writes | monotonic_reads | "
       "bounded_staleness=500ms | eventual"},
      {"--later-reads", &o.later_reads,
       "own | transaction: what later reads of a READ ONLY transaction must show is judged by"},
      {"--comparison-stride", &o.comparison_stride,
       "one piece of history out of so many goes to both checks of linearizability (0: none)"},
      {"--min-own-reads", &o.demands.reads_after_own_write,
       "reads after an own write, or the run proves nothing"},
      {"--min-advancing-reads", &o.demands.reads_of_advancing_key, "reads of an advancing key, likewise"},
      {"--min-nodes", &o.demands.nodes, "servers that answered reads, likewise"},
      {"--min-reads-elsewhere", &o.demands.reads_after_own_write_elsewhere,
       "reads after an own write over another connection, likewise"},
      {"--min-foreign-reads", &o.demands.reads_soon_after_foreign_write,
       "reads soon after another user's write, likewise"},
      {"--json", &o.json, "print the summary as one JSON object"},
  };
}

template <typename Enum>
bool choose(std::string_view text, Enum* target,
            const std::vector<std::pair<std::string_view, Enum>>& names) {
  for (const auto& [name, value] : names)
    if (text == name) {
      *target = value;
      return true;
    }
  return false;
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
  return choose<Protocol>(text, target,
                          {{"simple", Protocol::simple},
                           {"extended", Protocol::extended},
                           {"prepared", Protocol::prepared},
                           {"pipeline", Protocol::pipeline},
                           {"mixed", Protocol::mixed}});
}

bool read(std::string_view text, Think* target) {
  return choose<Think>(
      text, target,
      {{"fixed", Think::fixed}, {"uniform", Think::uniform}, {"exponential", Think::exponential}});
}

bool read(std::string_view text, Saying* target) {
  return choose<Saying>(text, target,
                        {{"nothing", Saying::nothing},
                         {"default", Saying::nothing},
                         {"set", Saying::set},
                         {"startup", Saying::startup},
                         {"hint", Saying::hint},
                         {"mixed", Saying::mixed}});
}

bool read(std::string_view text, LaterReads* target) {
  return choose<LaterReads>(text, target,
                            {{"own", LaterReads::own}, {"transaction", LaterReads::transaction}});
}

bool read(std::string_view text, Guarantee* target) {
  const auto parsed = parse_guarantee(text);
  if (parsed) *target = *parsed;
  return parsed.has_value();
}

// What is wrong with the options together; empty: nothing.
std::string contradiction(const DriverOptions& options) {
  if (options.conninfo.empty()) return "--conninfo is missing";
  if (options.threads == 0) return "--threads must be at least 1";
  if (options.sessions() == 0) return "no sessions";
  if (options.counter_writers + options.counter_readers + options.users > 0 && options.counters == 0)
    return "--counters must not be 0";
  if (options.shared + options.users > 0 && options.shared_keys == 0) return "--shared-keys must not be 0";
  for (const double share : {options.transactions, options.reads_among_writes, options.pipelined,
                             options.concurrent, options.tokens})
    if (share > 1) return "a share is 0 to 1";
  return "";
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
  bool elsewhere_asked = false;
  bool foreign_asked = false;
  for (int i = 1; i < count; ++i) {
    const std::string_view name = arguments[i];
    const Option* option = nullptr;
    for (const Option& candidate : known)
      if (candidate.name == name) option = &candidate;
    if (option == nullptr) {
      error = "unknown option " + std::string(name);
      return std::nullopt;
    }
    elsewhere_asked = elsewhere_asked || name == "--min-reads-elsewhere";
    foreign_asked = foreign_asked || name == "--min-foreign-reads";
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
  error = contradiction(options);
  if (!error.empty()) return std::nullopt;
  if (options.primary.empty()) options.primary = options.conninfo;
  if (options.second.empty()) options.second = options.conninfo;
  // What is to be shown must have been at stake.
  if (!elsewhere_asked && options.users > 0 && options.connections_per_user > 1)
    options.demands.reads_after_own_write_elsewhere = 1000;
  if (!foreign_asked && options.judge.level == Level::strong)
    options.demands.reads_soon_after_foreign_write = 1000;
  return options;
}

}  // namespace tidemark::consistency
