#include "config/problem.hpp"

#include <algorithm>
#include <cstddef>
#include <map>
#include <string_view>
#include <tuple>
#include <utility>

namespace tidemark::config {

std::string to_string(const Problem& problem) {
  std::string text = problem.file;
  if (problem.where.line != 0) {
    text += ':' + std::to_string(problem.where.line);
    if (problem.where.column != 0) text += ':' + std::to_string(problem.where.column);
  }
  text += problem.severity == Severity::error ? ": error: " : ": warning: ";
  return text + problem.message;
}

bool has_errors(const std::vector<Problem>& problems) {
  return std::any_of(problems.begin(), problems.end(),
                     [](const Problem& problem) { return problem.severity == Severity::error; });
}

void sort_problems(std::vector<Problem>& problems) {
  std::map<std::string, std::size_t> order;
  for (const Problem& problem : problems) order.try_emplace(problem.file, order.size());
  // By index last, so that equal places keep their order.
  std::vector<std::tuple<std::size_t, Position, std::size_t>> keys;
  keys.reserve(problems.size());
  for (std::size_t i = 0; i < problems.size(); ++i) {
    keys.emplace_back(order.at(problems[i].file), problems[i].where, i);
  }
  std::sort(keys.begin(), keys.end());
  std::vector<Problem> sorted;
  sorted.reserve(problems.size());
  for (const auto& key : keys) sorted.push_back(std::move(problems[std::get<2>(key)]));
  problems = std::move(sorted);
}

}  // namespace tidemark::config
