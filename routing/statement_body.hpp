#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "routing/function_catalog.hpp"
#include "routing/sql_keywords.hpp"
#include "routing/sql_scanner.hpp"

namespace tidemark::routing {

/// Walks the tokens of one statement and looks for whatever forbids to call it a read, and for what it
/// leaves in the session. Key words and calls are judged wherever they stand, at any depth: the question is
/// not what the statement means, only whether it can be proven harmless.
///
/// Not seen here, by design: what operators, casts, views, rules, triggers, row security and defaults call,
/// and functions called as attributes (`t.f`). A replica refuses what they would write (25006).
class StatementBody {
 public:
  /// `first` is the key word that the whole statement began with. `catalog` may be null.
  StatementBody(SqlScanner& scanner, const FunctionCatalog* catalog, Keyword first)
      : scanner_(scanner), catalog_(catalog), first_(first) {}

  /// To be called once. Judges `first` and what follows, up to the end of the statement, or, if `one_group`,
  /// up to the parenthesis that closes the one that `first` opens. Returns the token it stopped at:
  /// semicolon, end or close.
  [[nodiscard]] Token run(Token first, bool one_group = false);

  /// The statement is not a read, and why (a static text); the first reason stays.
  void refuse(std::string_view why) {
    if (why_.empty()) why_ = why;
  }
  void leaves_session_state(std::string_view why) {
    refuse(why);
    if (session_why_.empty()) session_why_ = why;
  }

  /// Empty: what was seen is a query that is proven to be a read.
  [[nodiscard]] std::string_view why() const { return why_; }
  /// Empty: nothing was seen that outlives the transaction in this session.
  [[nodiscard]] std::string_view session_why() const { return session_why_; }
  [[nodiscard]] bool changes_functions() const { return changes_functions_; }

 private:
  /// What is known of one level of parentheses.
  enum class Level : std::uint8_t {
    plain,
    cte_name,     ///< WITH [RECURSIVE], or a comma after a query of the list: a name follows
    cte_columns,  ///< the name was seen: a column list or AS follows
    cte_query,    ///< AS [NOT MATERIALIZED] was seen: the query follows
    cte_done,     ///< the query was seen: a comma, or the statement proper
    set_config,   ///< the arguments of set_config()
  };
  struct Seen {
    TokenKind kind = TokenKind::end;
    Keyword keyword = Keyword::none;
  };
  static constexpr std::size_t kLevels = 64;  ///< deeper ones are plain

  [[nodiscard]] bool ends_at(const Token& token, bool one_group);
  void word(const Token& token);
  void name(const Token& token, KeywordInfo info);
  void keyword(Keyword keyword);
  void definition_word(const Token& token);
  [[nodiscard]] bool makes_temporary() const;
  void step_level(TokenKind kind, Keyword keyword);
  void open();
  void close();
  [[nodiscard]] bool is_call() const;
  [[nodiscard]] bool is_keyword_before_parenthesis() const;
  void judge_call(Level& inner);
  [[nodiscard]] bool catalog_knows() const;
  [[nodiscard]] bool skip_operator_name();

  SqlScanner& scanner_;
  const FunctionCatalog* catalog_;
  Keyword first_;
  std::string_view why_;
  std::string_view session_why_;
  bool changes_functions_ = false;
  bool started_ = false;      ///< a token that is not an opening parenthesis was seen
  std::uint8_t words_ = 0;    ///< of a CREATE, ALTER or DROP: how many were looked at
  std::uint32_t atomic_ = 0;  ///< inside BEGIN ATOMIC … END: the nesting of END
  std::size_t depth_ = 0;
  Seen last_;  ///< the token before the current one
  Seen before_last_;
  const Token* name_ = nullptr;  ///< the last word, if last_ is one
  KeywordInfo name_info_;
  Seen before_name_;  ///< what stood before that name and its qualification
  std::array<Level, kLevels> levels_{};
};

}  // namespace tidemark::routing
