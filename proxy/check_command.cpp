#include "proxy/check_command.hpp"

#include <ostream>
#include <vector>

#include "config/load.hpp"
#include "config/problem.hpp"
#include "pools/tls_context.hpp"

namespace tidemark::proxy {

namespace {

/// Loads certificates and keys as the proxy would; what is wrong with them becomes a problem of the key that
/// names them.
void look_at_tls_files(const std::filesystem::path& path, config::LoadResult& result) {
  if (!result.config) return;
  const auto report = [&](config::Severity severity, const pools::TlsProblem& problem) {
    const config::Entry* entry = result.document.find(problem.key);
    result.problems.push_back({severity, path.string(),
                               entry == nullptr ? config::Position{} : entry->value_at,
                               "\"" + problem.key + "\": " + problem.text});
  };
  const auto look = [&](const pools::ListenTlsSettings& clients, const pools::ServerTlsSettings& servers) {
    std::vector<pools::TlsProblem> warnings;
    try {
      (void)pools::make_tls_setup(clients, servers, warnings);
    } catch (const pools::TlsError& error) {
      report(config::Severity::error, error.problem());
    }
    for (const auto& warning : warnings) report(config::Severity::warning, warning);
  };
  // One side after the other: both are told of.
  look(result.config->listen.tls, {});
  look({}, result.config->cluster.server_tls);
  config::sort_problems(result.problems);
  if (config::has_errors(result.problems)) result.config.reset();
}

}  // namespace

int run_check(const std::filesystem::path& path, std::ostream& out, std::ostream& err) {
  config::LoadResult result = config::load_file(path);
  look_at_tls_files(path, result);
  for (const config::Problem& problem : result.problems) err << config::to_string(problem) << '\n';
  if (!result.config) return 2;
  out << path.string() << ": OK\n";
  return 0;
}

}  // namespace tidemark::proxy
