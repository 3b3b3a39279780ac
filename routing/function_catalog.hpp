#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>

namespace tidemark::routing {

/// Lets sets of std::string be searched by std::string_view.
struct StringHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
};
using StringSet = absl::flat_hash_set<std::string, StringHash, std::equal_to<>>;

/// What a routine may leave in the session that calls it, as far as its body tells; a set of bits.
namespace routine_effect {
inline constexpr std::uint8_t state = 1;      ///< something of which the server tells when it is asked
inline constexpr std::uint8_t dynamic = 2;    ///< runs SQL that its body does not tell
inline constexpr std::uint8_t unaskable = 4;  ///< something of which the server does not tell
inline constexpr std::uint8_t nameless = 8;   ///< sets a parameter whose name its body does not tell
}  // namespace routine_effect
/// Effects by name, as stored, without schema. What has none is missing.
using EffectMap = absl::flat_hash_map<std::string, std::uint8_t, StringHash, std::equal_to<>>;

/// What the functions of one database are (pg_proc.provolatile; manual: "Function Volatility Categories").
/// Names as stored, without schema.
struct FunctionCatalog {
  StringSet safe;  ///< every overload, in every schema, is not volatile
  /// Of the names on the built-in list (safe_functions.hpp) those of which an overload outside of pg_catalog
  /// is volatile: a call may mean that one, whatever the list says of PostgreSQL's own function.
  StringSet user_volatile;
  EffectMap routines{};
  EffectMap relations{};  ///< of reading a view or table: by the view's query, by policies
  /// Of naming it in a statement that is no read: beside that, by triggers, rules, defaults and constraints.
  EffectMap written{};
  std::uint8_t definition_effects = 0;  ///< of any CREATE, ALTER, DROP …: by event triggers
  /// Parameters of no module that some of these set: the server lists those only to who asks by name.
  std::vector<std::string> settings{};
  /// An acknowledged change of rows has a commit record that was flushed, unless a session or its transaction
  /// sets synchronous_commit: no function's body names it, or sets a parameter of which it does not tell the
  /// name; no rule, default, check or policy sets one; and no table is unlogged, foreign, or a view with
  /// INSTEAD OF triggers, which can count a row as changed and write nothing that needs to be flushed.
  bool changes_are_flushed = false;
  /// Functions have been changed since, or were never read: any that is not PostgreSQL's own may do anything.
  bool outdated = false;

  friend bool operator==(const FunctionCatalog&, const FunctionCatalog&) = default;

  [[nodiscard]] bool is_safe(std::string_view name) const { return safe.contains(name) && !outdated; }
  [[nodiscard]] bool is_user_volatile(std::string_view name) const { return user_volatile.contains(name); }
};

/// By database name. A database that is missing has not been read: no function is safe there but the
/// built-in list's.
using FunctionCatalogs =
    absl::flat_hash_map<std::string, std::shared_ptr<const FunctionCatalog>, StringHash, std::equal_to<>>;

}  // namespace tidemark::routing
