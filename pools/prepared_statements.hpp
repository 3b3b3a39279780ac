#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <absl/container/flat_hash_map.h>

namespace tidemark::pools {

/// Number of a prepared statement's text, unique in the process; names it on every server.
using StatementId = std::uint64_t;

/// Name under which a statement is prepared on servers; no client's name ever reaches one.
[[nodiscard]] std::string server_statement_name(StatementId id);

/// Which statements one server connection has prepared. Bounded: the least recently used gives way.
class PreparedStatements {
 public:
  /// Whether the server has it (or is about to: its Parse was sent); counts as a use.
  [[nodiscard]] bool use(StatementId id);
  /// A Parse for `id` is being sent. Returns a statement that must be closed to stay within `limit`; never
  /// one used since `begin_unit`.
  [[nodiscard]] std::optional<StatementId> add(StatementId id, std::size_t limit);
  /// The Parse failed or was skipped.
  void forget(StatementId id) { last_use_.erase(id); }
  /// Its Close was skipped, or it was prepared anew: the server has it.
  void restore(StatementId id) { last_use_.try_emplace(id, 0); }
  /// The server has forgotten all.
  void clear() { last_use_.clear(); }
  /// Statements used from here on are needed until the next call.
  void begin_unit() { unit_begin_ = ++clock_; }
  [[nodiscard]] std::size_t size() const { return last_use_.size(); }

 private:
  absl::flat_hash_map<StatementId, std::uint64_t> last_use_;
  std::uint64_t clock_ = 0;
  std::uint64_t unit_begin_ = 0;
};

}  // namespace tidemark::pools
