#pragma once

#include <cstdint>

#include "routing/sql_scanner.hpp"

namespace tidemark::routing {

/// The key words that the classifier treats by themselves. Those it has no interest in are `none`.
enum class Keyword : std::uint8_t {
  none,
  other,  ///< reserved, or such that an expression may follow it; nothing more is asked of it
  // Words that begin statements.
  abort,
  alter,
  begin,
  call,
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
  filter,
  fetch,
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
};

struct KeywordInfo {
  Keyword keyword = Keyword::none;
  /// Before a parenthesis it is never the name of a user's function when it is unquoted and unqualified: it
  /// is reserved, or a "column name" key word (manual, appendix "SQL Key Words"). What such a word does call
  /// (coalesce, extract, numeric(10,2) …) changes nothing.
  bool never_function = false;
};

/// What an unquoted word (TokenKind::word) is. Not to be asked of a word that follows a dot.
[[nodiscard]] KeywordInfo keyword_info(const Token& word);

/// Whether a name is that of a schema of temporary relations: pg_temp, or pg_temp_ and a number.
[[nodiscard]] bool names_temporary_schema(const Token& name);

}  // namespace tidemark::routing
