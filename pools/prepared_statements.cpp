#include "pools/prepared_statements.hpp"

#include <algorithm>

namespace tidemark::pools {

std::string server_statement_name(StatementId id) {
  return "tidemark_" + std::to_string(id);
}

const protocol::StatementShape* PreparedStatements::use(StatementId id) {
  const auto found = statements_.find(id);
  if (found == statements_.end()) return nullptr;
  found->second.last_use = ++clock_;
  return &found->second.shape;
}

const protocol::StatementShape* PreparedStatements::find(StatementId id) const {
  const auto found = statements_.find(id);
  return found == statements_.end() ? nullptr : &found->second.shape;
}

std::optional<StatementId> PreparedStatements::add(StatementId id, std::size_t limit) {
  std::optional<StatementId> out;
  if (statements_.size() >= limit && !statements_.empty()) {
    const auto oldest =
        std::min_element(statements_.begin(), statements_.end(),
                         [](const auto& a, const auto& b) { return a.second.last_use < b.second.last_use; });
    if (oldest->second.last_use < unit_begin_) {
      out = oldest->first;
      statements_.erase(oldest);
    }
  }
  statements_[id] = {++clock_, {}};
  return out;
}

void PreparedStatements::describe(StatementId id, const protocol::StatementShape& shape) {
  if (const auto found = statements_.find(id); found != statements_.end()) found->second.shape.learn(shape);
}

}  // namespace tidemark::pools
