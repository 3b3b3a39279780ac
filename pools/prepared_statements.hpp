#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <absl/container/flat_hash_map.h>

#include "protocol/statement_shape.hpp"

namespace tidemark::pools {

/// Number of a prepared statement's text, unique in the process; names it on every server.
using StatementId = std::uint64_t;

/// Name under which a statement is prepared on servers; no client's name ever reaches one.
[[nodiscard]] std::string server_statement_name(StatementId id);

/// Which statements one server connection has prepared. Bounded: the least recently used gives way.
class PreparedStatements {
 public:
  /// Null unless the server has it (or is about to: its Parse was sent); counts as a use. What it points to
  /// says what the server told of the statement, and is valid until the next change.
  [[nodiscard]] const protocol::StatementShape* use(StatementId id);
  /// The same, and no use.
  [[nodiscard]] const protocol::StatementShape* find(StatementId id) const;
  /// A Parse for `id` is being sent. Returns a statement that must be closed to stay within `limit`; never
  /// one used since `begin_unit`.
  [[nodiscard]] std::optional<StatementId> add(StatementId id, std::size_t limit);
  /// The server has told this of `id`: it holds as long as the statement is there, since a server refuses to
  /// run one whose result has changed.
  void describe(StatementId id, const protocol::StatementShape& shape);
  /// The Parse failed or was skipped.
  void forget(StatementId id) { statements_.erase(id); }
  /// Its Close was skipped, or it was prepared anew: the server has it.
  void restore(StatementId id) { statements_.try_emplace(id); }
  /// The server has forgotten all.
  void clear() {
    statements_.clear();
    distrusted_ = false;
  }
  /// The server has forgotten one that it should have, and perhaps others. From now on one that is not known
  /// here may be there nevertheless: a Close goes before its Parse.
  void distrust() {
    statements_.clear();
    distrusted_ = true;
  }
  [[nodiscard]] bool distrusted() const { return distrusted_; }
  /// Statements used from here on are needed until the next call.
  void begin_unit() { unit_begin_ = ++clock_; }
  [[nodiscard]] std::size_t size() const { return statements_.size(); }

 private:
  struct Statement {
    std::uint64_t last_use = 0;
    protocol::StatementShape shape;
  };
  absl::flat_hash_map<StatementId, Statement> statements_;
  std::uint64_t clock_ = 0;
  std::uint64_t unit_begin_ = 0;
  bool distrusted_ = false;
};

}  // namespace tidemark::pools
