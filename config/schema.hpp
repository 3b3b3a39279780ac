#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace tidemark::config {

enum class Type : std::uint8_t {
  table,
  table_list,  ///< [[a.b]]
  string,
  string_list,
  integer,
  boolean,
  duration,
  size,
  choice,  ///< a string out of Key::choices
};

enum class Support : std::uint8_t {
  yes,
  refused,  ///< planned: naming it is an error that says so, so that nobody believes it to be at work
};

/// What becomes of a changed value at a reload.
enum class Reload : std::uint8_t { applicable, restart };

struct Choice {
  std::string_view text;
  bool supported = true;          ///< otherwise refused like Support::refused: it is planned
  std::string_view why_not = {};  ///< not even planned, and why
};

/// One key. The table of keys is the only place that knows names, types and limits; the room's README repeats
/// it for people, and a test compares the two.
struct Key {
  std::string_view path;  ///< "cluster.node.weight"; unique
  Type type = Type::string;
  std::string_view default_text;  ///< as TOML; empty: none
  std::string_view meaning;       ///< one line of Markdown
  /// Limits, both inclusive: of an integer; of a duration in nanoseconds; of a size in bytes; of a string's
  /// length in bytes; of a list's length. Unused for the other types.
  std::int64_t min = 0;
  std::int64_t max = 0;
  std::span<const Choice> choices = {};  ///< of Type::choice, in the order of the reference
  Reload reload = Reload::restart;
  Support support = Support::yes;
};

/// The keys of one kind of file.
struct Schema {
  std::span<const Key> keys;
  /// The file holds secrets: problems show names of keys and places, never what stands there.
  bool secret = false;

  [[nodiscard]] const Key* find(std::string_view path) const;
};

/// tidemark.toml
[[nodiscard]] const Schema& main_schema();
/// The file that auth.users_file names.
[[nodiscard]] const Schema& users_schema();

/// "routing" of "routing.max_lag"; empty for a key of the top level.
[[nodiscard]] std::string_view parent_path(std::string_view path);
/// "max_lag" of "routing.max_lag".
[[nodiscard]] std::string_view leaf_name(std::string_view path);

}  // namespace tidemark::config
