#include "proxy/client_statements.hpp"

#include <algorithm>
#include <utility>

#include "protocol/frontend_messages.hpp"

namespace tidemark::proxy {

ClientStatements::Statement* ClientStatements::find(std::string_view name) {
  const auto found = named_.find(protocol::statement_name(name));
  return found == named_.end() ? nullptr : &found->second;
}

std::string_view ClientStatements::name_of(pools::StatementId id) const {
  const auto known = std::find_if(named_.begin(), named_.end(),
                                  [id](const auto& entry) { return entry.second.text->id == id; });
  return known == named_.end() ? std::string_view{} : std::string_view(known->first);
}

void ClientStatements::put(std::string_view name, Statement statement) {
  erase(name);
  const std::string_view kept = protocol::statement_name(name);
  bytes_ += size_of(kept, statement);
  named_.emplace(kept, std::move(statement));
}

std::optional<ClientStatements::Statement> ClientStatements::take(std::string_view name) {
  const auto found = named_.find(protocol::statement_name(name));
  if (found == named_.end()) return std::nullopt;
  bytes_ -= size_of(found->first, found->second);
  std::optional<Statement> taken(std::move(found->second));
  named_.erase(found);
  return taken;
}

void ClientStatements::clear() {
  named_.clear();
  bytes_ = 0;
}

}  // namespace tidemark::proxy
