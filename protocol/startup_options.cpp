#include "protocol/startup_options.hpp"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace tidemark::protocol {

namespace {

// isspace() of the C locale, which PostgreSQL uses here.
bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

std::vector<std::string> split_options(std::string_view text) {
  std::vector<std::string> words;
  std::size_t at = 0;
  for (;;) {
    while (at < text.size() && is_space(text[at])) ++at;
    if (at == text.size()) return words;
    std::string word;
    while (at < text.size() && !is_space(text[at])) {
      // A backslash at the very end has nothing to take and vanishes.
      if (text[at] == '\\' && ++at == text.size()) break;
      word.push_back(text[at++]);
    }
    words.push_back(std::move(word));
  }
}

/// PostgreSQL's switches, as getopt() has them: a colon behind those that take an argument.
constexpr std::string_view kSwitches = "B:bc:C:D:d:EeFf:h:ijk:lN:nOPp:r:S:sTt:v:W:-:";

/// -f: a method of the planner that is not to be used. Empty: none of that name.
std::string_view planner_setting(std::string_view argument) {
  switch (argument.empty() ? '\0' : argument[0]) {
    case 'b':
      return "enable_bitmapscan";
    case 'h':
      return "enable_hashjoin";
    case 'i':
      return "enable_indexscan";
    case 'm':
      return "enable_mergejoin";
    case 'n':
      return "enable_nestloop";
    case 'o':
      return "enable_indexonlyscan";
    case 's':
      return "enable_seqscan";
    case 't':
      return "enable_tidscan";
    default:
      return {};
  }
}

/// -t: statistics that are to be logged. Empty: none of that name.
std::string_view statistics_setting(std::string_view argument) {
  if (argument.starts_with("pa")) return "log_parser_stats";
  if (argument.starts_with("pl")) return "log_planner_stats";
  return argument.starts_with('e') ? "log_executor_stats" : std::string_view{};
}

/// atoi(), for numbers so small that more is the same.
int number_of(std::string_view text) {
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  int number = 0;
  for (; !text.empty() && text.front() >= '0' && text.front() <= '9' && number < 100; text.remove_prefix(1))
    number = 10 * number + (text.front() - '0');
  return negative ? -number : number;
}

/// getopt() of the GNU library over PostgreSQL's switches: words that are none are passed over, and are what
/// is wrong when all switches are done.
class Switches {
 public:
  explicit Switches(std::string_view options) : words_(split_options(options)) {}

  OptionsResult read() {
    for (at_ = 0; at_ < words_.size(); ++at_) {
      if (words_[at_] == "--") {
        for (++at_; at_ < words_.size(); ++at_) pass_over(words_[at_]);
        break;
      }
      if (words_[at_].size() < 2 || words_[at_][0] != '-') {
        pass_over(words_[at_]);
      } else if (!cluster()) {
        return std::move(result_);
      }
    }
    if (!others_.empty()) complain(others_.front());
    return std::move(result_);
  }

 private:
  void pass_over(const std::string& word) { others_.push_back(word); }

  /// `-sF`, `-S5120`, `-S 5120`: several switches, the last of which may have an argument. False: an error.
  bool cluster() {
    const std::size_t first = at_;
    const std::string_view word = words_[at_];
    for (std::size_t i = 1; i < word.size(); ++i) {
      const char letter = word[i];
      const std::size_t place = letter == ':' ? std::string_view::npos : kSwitches.find(letter);
      const bool last = i + 1 == word.size();
      const bool known = place != std::string_view::npos;
      const bool takes_argument = known && place + 1 < kSwitches.size() && kSwitches[place + 1] == ':';
      std::string_view argument;
      bool complete = true;
      if (takes_argument && !last) {
        argument = word.substr(i + 1);
        i = word.size();
      } else if (takes_argument) {
        complete = at_ + 1 < words_.size();
        if (complete) argument = words_[++at_];
      }
      if (!known || !complete || !apply(letter, argument)) {
        // What stands before the place that getopt() has come to.
        if (result_.error.empty()) complain(last || takes_argument ? words_[at_] : before(first));
        return false;
      }
      if (!result_.error.empty()) return false;
    }
    return true;
  }

  /// getopt() moves the words that are no switches behind those that were read.
  [[nodiscard]] std::string before(std::size_t word) const {
    if (!others_.empty()) return others_.back();
    return word == 0 ? "postgres" : words_[word - 1];
  }

  void complain(const std::string& word) {
    result_.error = "invalid command-line argument for server process: " + word;
    result_.hint = "Try \"postgres --help\" for more information.";
  }

  void set(std::string_view name, std::string_view value) { set_parameter(result_.settings, name, value); }

  /// False when PostgreSQL does not know the argument.
  bool apply(char letter, std::string_view argument) {
    switch (letter) {
      case 'B':
        set("shared_buffers", argument);
        break;
      case 'c':
      case '-':
        assign(letter, argument);
        break;
      case 'd':
        debug(number_of(argument));
        break;
      case 'e':
        set("datestyle", "euro");
        break;
      case 'F':
        set("fsync", "false");
        break;
      case 'f': {
        const auto name = planner_setting(argument);
        if (name.empty()) return false;
        set(name, "false");
        break;
      }
      case 'h':
        set("listen_addresses", argument);
        break;
      case 'i':
        set("listen_addresses", "*");
        break;
      case 'k':
        set("unix_socket_directories", argument);
        break;
      case 'l':
        set("ssl", "true");
        break;
      case 'N':
        set("max_connections", argument);
        break;
      case 'O':
        set("allow_system_table_mods", "true");
        break;
      case 'P':
        set("ignore_system_indexes", "true");
        break;
      case 'p':
        set("port", argument);
        break;
      case 'S':
        set("work_mem", argument);
        break;
      case 's':
        set("log_statement_stats", "true");
        break;
      case 't': {
        const auto name = statistics_setting(argument);
        if (name.empty()) return false;
        set(name, "true");
        break;
      }
      case 'W':
        set("post_auth_delay", argument);
        break;
      default:
        // b, C, D, E, j, n, r, T and v: nothing to a server that has been started.
        break;
    }
    return true;
  }

  /// -c name=value and --name=value; a `-` in the name stands for `_`.
  void assign(char letter, std::string_view setting) {
    const std::size_t equals = setting.find('=');
    if (equals == std::string_view::npos) {
      result_.error = (letter == '-' ? "--" : "-c ") + std::string(setting) + " requires a value";
      return;
    }
    std::string name(setting.substr(0, equals));
    std::replace(name.begin(), name.end(), '-', '_');
    set(name, setting.substr(equals + 1));
  }

  void debug(int level) {
    set("log_min_messages", level > 0 ? "debug" + std::to_string(level) : "notice");
    if (level >= 2) set("log_statement", "all");
    if (level >= 3) set("debug_print_parse", "true");
    if (level >= 4) set("debug_print_plan", "true");
    if (level >= 5) set("debug_print_rewritten", "true");
  }

  std::vector<std::string> words_;
  std::size_t at_ = 0;               ///< the word that is read
  std::vector<std::string> others_;  ///< words that are no switches
  OptionsResult result_;
};

}  // namespace

OptionsResult parse_options(std::string_view options) {
  return Switches(options).read();
}

}  // namespace tidemark::protocol
