#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

namespace tidemark::routing {

/// Lets sets of std::string be searched by std::string_view.
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
using StringSet = absl::flat_hash_set<std::string, StringHash, std::equal_to<>>;

/// The functions of one database whose every overload, in every schema, is not volatile (pg_proc.provolatile;
/// manual: "Function Volatility Categories"). Names as stored, without schema.
struct FunctionCatalog {
  StringSet safe;
  [[nodiscard]] bool is_safe(std::string_view name) const { return safe.contains(name); }
};

/// By database name. A database that is missing has not been read: no function is safe there but the
/// built-in list's.
using FunctionCatalogs =
    absl::flat_hash_map<std::string, std::shared_ptr<const FunctionCatalog>, StringHash, std::equal_to<>>;

}  // namespace tidemark::routing
