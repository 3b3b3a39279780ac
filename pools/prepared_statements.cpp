#include "pools/prepared_statements.hpp"

#include <algorithm>

namespace tidemark::pools {

std::string server_statement_name(StatementId id) {
  return "tidemark_" + std::to_string(id);
}

bool PreparedStatements::use(StatementId id) {
  const auto found = last_use_.find(id);
  if (found == last_use_.end()) return false;
  found->second = ++clock_;
  return true;
}

std::optional<StatementId> PreparedStatements::add(StatementId id, std::size_t limit) {
  std::optional<StatementId> out;
  if (last_use_.size() >= limit && !last_use_.empty()) {
    const auto oldest = std::min_element(last_use_.begin(), last_use_.end(),
                                         [](const auto& a, const auto& b) { return a.second < b.second; });
    if (oldest->second < unit_begin_) {
      out = oldest->first;
      last_use_.erase(oldest);
    }
  }
  last_use_[id] = ++clock_;
  return out;
}

}  // namespace tidemark::pools
