#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "protocol/statement_shape.hpp"
#include "proxy/statement_cache.hpp"
#include "routing/function_catalog.hpp"

namespace tidemark::proxy {

/// The prepared statements of one client, by its own names for them, and the unnamed one. Names are cut off
/// as a server does (protocol::statement_name). Pure but for the references it holds.
class ClientStatements {
 public:
  struct Statement {
    StatementCache::Reference text;
    /// What the client was told by Describe of the statement or of a portal, and may go by since.
    protocol::StatementShape told = {};
  };

  struct Unnamed {
    std::string definition;  ///< as in Parse behind the name; empty: none
    protocol::StatementShape told;
    std::uint64_t number = 0;  ///< another one for each
  };

  /// Null: none of that name. Valid until the next change.
  [[nodiscard]] Statement* find(std::string_view name);
  /// The name under which the client knows the text `id`; empty: none, or the unnamed one.
  [[nodiscard]] std::string_view name_of(pools::StatementId id) const;
  /// Instead of what the name stood for.
  void put(std::string_view name, Statement statement);
  /// False when there was none.
  bool erase(std::string_view name) { return take(name).has_value(); }
  [[nodiscard]] std::optional<Statement> take(std::string_view name);
  /// All but the unnamed one.
  void clear();
  /// All of whose names `keep` says no.
  template <typename Keep>
  void clear_except(const Keep& keep) {
    absl::erase_if(named_, [&](const auto& entry) {
      if (keep(std::string_view(entry.first))) return false;
      bytes_ -= size_of(entry.first, entry.second);
      return true;
    });
  }
  [[nodiscard]] std::size_t size() const { return named_.size(); }
  /// What the names and texts of the named ones take; a text that others share counts in full.
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  /// Definition of the unnamed statement, as in Parse behind the name; empty: none.
  [[nodiscard]] std::string_view unnamed() const { return unnamed_.definition; }
  [[nodiscard]] std::string_view unnamed_query() const { return unnamed().substr(0, unnamed().find('\0')); }
  [[nodiscard]] protocol::StatementShape& unnamed_told() { return unnamed_.told; }
  [[nodiscard]] std::uint64_t unnamed_number() const { return unnamed_.number; }
  void set_unnamed(std::string_view definition) {
    unnamed_.definition.assign(definition);
    unnamed_.told = {};
    unnamed_.number = ++unnamed_count_;
  }
  /// Leaves none.
  [[nodiscard]] Unnamed take_unnamed() {
    Unnamed taken = std::move(unnamed_);
    unnamed_ = {};
    return taken;
  }
  void put_unnamed(Unnamed statement) { unnamed_ = std::move(statement); }

 private:
  [[nodiscard]] static std::size_t size_of(std::string_view name, const Statement& statement) {
    return name.size() + statement.text->definition.size();
  }
  absl::flat_hash_map<std::string, Statement, routing::StringHash, std::equal_to<>> named_;
  std::size_t bytes_ = 0;
  Unnamed unnamed_;
  std::uint64_t unnamed_count_ = 0;
};

}  // namespace tidemark::proxy
