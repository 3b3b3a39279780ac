#pragma once

#include <cstdint>

#include "routing/sql_scanner.hpp"
#include "routing/word_table.hpp"

namespace tidemark::routing {

/// The key words that the classifier treats by themselves. Those it has no interest in are `none`.
enum class Keyword : std::uint8_t {
  none,
  other,    ///< reserved, or such that an expression may follow it; nothing more is asked of it
  operand,  ///< an expression by itself: NULL, CURRENT_DATE …
  // From here on: words that the classifier looks at. Those that begin statements.
  abort,
  alter,
  begin,
  call,
  close,
  commit,
  copy,
  create,
  deallocate,
  declare,
  delete_,
  discard,
  do_,
  drop,
  end,
  execute,
  explain,
  insert,
  listen,
  load,
  merge,
  prepare,
  release,
  reset,
  rollback,
  savepoint,
  select,
  set,
  show,
  start,
  table,
  unlisten,
  update,
  values,
  with,
  // Words that matter inside of statements. keyword_info() never gives group_by and order_by: the classifier
  // makes them of "by" after GROUP, ORDER and PARTITION.
  analyze,
  as,
  atomic,
  by,
  case_,
  cube,
  distinct,
  filter,
  fetch,
  first_or_next,
  for_,
  global,
  group,
  group_by,
  grouping,
  hold,
  infix,
  into,
  join,
  join_type,
  key,
  local,
  materialized,
  no,
  not_,
  on,
  operator_,
  order,
  order_by,
  over,
  partition,
  recursive,
  repeatable,
  replace,
  rollup,
  session,
  sets,
  share,
  tablesample,
  temporary,
  time,
  to,
  transaction,
  true_,
  uescape,
  varying,
  verbose,
  zone,
  character,
  node_column,  ///< a column of sequences, in which replicas are ahead: last_value, is_called
};

struct KeywordInfo {
  Keyword keyword = Keyword::none;
  /// Before a parenthesis it is never the name of a user's function when it is unquoted and unqualified: it
  /// is reserved, or a "column name" key word (manual, appendix "SQL Key Words"). What such a word does call
  /// (coalesce, extract, numeric(10,2) …) changes nothing.
  bool never_function = false;
};

extern const WordTable<KeywordInfo, 512> keyword_table;

/// What an unquoted word (TokenKind::word) is. Not to be asked of a word that follows a dot.
[[nodiscard]] inline KeywordInfo keyword_info(const Token& word) {
  return keyword_table.find(word.key, word.text, KeywordInfo{});
}

/// Whether a name is that of a schema of temporary relations: pg_temp, or pg_temp_ and a number.
[[nodiscard]] inline bool names_temporary_schema(const Token& name) {
  constexpr std::string_view kName = "pg_temp";
  constexpr WordKey kSchema = WordKey::of(kName);
  WordKey key = name.key;
  if (name.kind != TokenKind::word) {
    if (name.text.size() < kName.size() || name.text[2] != kName[2]) return false;
    key = WordKey::of(name.text.substr(0, kName.size() + 1));
  }
  const std::uint64_t after = key.low >> 56U;
  return (key.low ^ kSchema.low) << 8U == 0 && (after == 0 || after == ('_' | 0x20U));
}

/// Whether a name, which is in `word.key`, may be one that tells_of_node().
[[nodiscard]] inline bool may_tell_of_node(const WordKey& key) {
  constexpr std::uint64_t kPg = WordKey::of("pg_").low;
  return (key.low & 0xffffffU) == kPg;
}
/// The same for a name whose key is not known: an underscore where "pg_", "is_" and "last_" have theirs.
[[nodiscard]] inline bool may_tell_of_node(std::string_view name) {
  return name.size() > 7 && (name[2] == '_' || name[4] == '_');
}
/// Whether a name in any case is that of a view or function of what a server keeps to itself (pg_stat_…,
/// pg_locks, pg_prepared_xacts …), of a view of sequences, or of one of their columns.
[[nodiscard]] bool tells_of_node(std::string_view name);

/// Whether the text of a string contains the name of such a schema, in any case.
[[nodiscard]] bool mentions_temporary_schema(std::string_view text);

}  // namespace tidemark::routing
