#include <algorithm>
#include <cstdlib>
#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/load.hpp"
#include "proxy/app.hpp"
#include "proxy/check_command.hpp"
#include "proxy/event_log.hpp"
#include "proxy/explain_command.hpp"
#include "routing/mutation.hpp"

namespace {

constexpr std::string_view kUsage =
    "usage: tidemark --config FILE                  run the proxy\n"
    "       tidemark check --config FILE            report every mistake in FILE; exit code 2 if there is "
    "one\n"
    "       tidemark explain --config FILE SQL      class of SQL, the node it would go to, and why\n"
    "       tidemark --version | --help\n";

struct Arguments {
  std::string command;
  std::string config;
  std::vector<std::string> rest;
  bool wrong = false;
};

Arguments parse(int count, char** values) {
  Arguments arguments;
  for (int i = 1; i < count; ++i) {
    const std::string_view value = values[i];
    if (value == "--config" || value == "-c") {
      if (++i == count) {
        arguments.wrong = true;
      } else {
        arguments.config = values[i];
      }
    } else if (value.starts_with("--config=")) {
      arguments.config = value.substr(9);
    } else if (value == "--help" || value == "-h" || value == "--version") {
      arguments.command = value;
    } else if (value.starts_with("-")) {
      arguments.wrong = true;
    } else if (arguments.command.empty() && (value == "check" || value == "explain")) {
      arguments.command = value;
    } else {
      arguments.rest.emplace_back(value);
    }
  }
  return arguments;
}

/// In test builds: breaks the rule that the environment names, aloud.
bool break_a_rule() {
#ifdef TIDEMARK_MUTATIONS
  using namespace tidemark;
  const char* const name = std::getenv("TIDEMARK_MUTATION");
  if (name == nullptr) return true;
  const auto& names = routing::kMutationNames;
  const auto found = std::find(names.begin(), names.end(), std::string_view(name));
  if (found == names.end()) {
    std::cerr << "TIDEMARK_MUTATION: there is no mutation of that name\n";
    return false;
  }
  routing::active_mutation = static_cast<routing::Mutation>(found - names.begin());
  proxy::EventLog::warning("broken on purpose: " + std::string(name));
#endif
  return true;
}

int run(const Arguments& arguments) {
  using namespace tidemark;
  if (arguments.command == "--help" || arguments.command == "-h") {
    std::cout << kUsage;
    return 0;
  }
  if (arguments.command == "--version") {
    std::cout << "tidemark " TIDEMARK_VERSION "\n";
    return 0;
  }
  const std::size_t expected = arguments.command == "explain" ? 1 : 0;
  if (arguments.wrong || arguments.config.empty() || arguments.rest.size() != expected) {
    std::cerr << kUsage;
    return 2;
  }
  if (arguments.command == "check") return proxy::run_check(arguments.config, std::cout, std::cerr);
  if (arguments.command == "explain") {
    return proxy::run_explain(arguments.config, arguments.rest.front(), std::cout, std::cerr);
  }
  auto loaded = config::load_file(arguments.config);
  for (const auto& problem : loaded.problems) std::cerr << config::to_string(problem) << '\n';
  if (!loaded.config) return 2;
  proxy::start_log(loaded.config->log);
  if (!break_a_rule()) return 2;
  return proxy::run_app(arguments.config, std::move(loaded));
}

}  // namespace

int main(int count, char** values) {
  try {
    return run(parse(count, values));
  } catch (const std::exception& error) {
    std::cerr << "tidemark: " << error.what() << '\n';
    return 1;
  }
}
