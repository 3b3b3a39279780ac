#include <exception>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "config/load.hpp"
#include "proxy/app.hpp"
#include "proxy/check_command.hpp"
#include "proxy/event_log.hpp"
#include "proxy/explain_command.hpp"

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
  const auto loaded = config::load_file(arguments.config);
  for (const auto& problem : loaded.problems) std::cerr << config::to_string(problem) << '\n';
  if (!loaded.config) return 2;
  proxy::start_log(loaded.config->log);
  return proxy::run_app(*loaded.config);
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
