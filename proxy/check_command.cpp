#include "proxy/check_command.hpp"

#include <ostream>

#include "config/load.hpp"
#include "config/problem.hpp"

namespace tidemark::proxy {

int run_check(const std::filesystem::path& path, std::ostream& out, std::ostream& err) {
  const config::LoadResult result = config::load_file(path);
  for (const config::Problem& problem : result.problems) err << config::to_string(problem) << '\n';
  if (!result.config) return 2;
  out << path.string() << ": OK\n";
  return 0;
}

}  // namespace tidemark::proxy
