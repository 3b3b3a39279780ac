#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "routing/function_catalog.hpp"
#include "routing/sql_scanner.hpp"

namespace tidemark::routing {

/// How the body of a routine is written.
enum class BodyLanguage : std::uint8_t {
  sql,    ///< SQL or PL/pgSQL
  other,  ///< any other procedural language
};

/// What running `body` may leave in its session: by itself, and by what it calls and names of `routines` and
/// `relations`. Conservative where it can be: any key word, call or name counts wherever it stands. SQL that
/// is put together at run time is `dynamic`, and its constant parts are read, too. In time linear in the
/// length, without allocation.
[[nodiscard]] std::uint8_t body_effects(std::string_view body, BodyLanguage language,
                                        const EffectMap& routines, const EffectMap& relations);

/// The parameters of no module (`shop.tenant`) that `body` sets by a constant name, in lower case.
[[nodiscard]] std::vector<std::string> custom_settings(std::string_view body);

/// What `map` says of the name that a word or quoted word of SQL spells.
[[nodiscard]] std::uint8_t effects_of(const Token& name, const EffectMap& map);

/// What stands between the quotes of a string constant, '…' or $$…$$; doubled quotes and escapes stay.
[[nodiscard]] std::string_view inside_of_string(std::string_view constant);

/// One text that a database runs without being told so by a statement's text.
struct RoutineSource {
  enum class Kind : std::uint8_t {
    routine,   ///< the body of a function or procedure
    relation,  ///< of a view its query, of a table its policies: what reading it runs
    written,   ///< what writing to a table or view runs: trigger functions, rules, expressions, other tables
    event_trigger,  ///< what an event trigger calls
  };
  Kind kind = Kind::routine;
  BodyLanguage language = BodyLanguage::sql;
  std::string name;  ///< as stored, without schema
  std::string text;
};

/// Fills the effects and settings of `catalog`, all else of which stays: what each of `sources` does by
/// itself, and by those that it calls or names.
void find_effects(std::span<const RoutineSource> sources, FunctionCatalog& catalog);

}  // namespace tidemark::routing
