#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "routing/function_catalog.hpp"
#include "routing/safe_functions.hpp"
#include "routing/sql_keywords.hpp"
#include "routing/sql_scanner.hpp"
#include "routing/statement_class.hpp"

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
      : scanner_(scanner),
        catalog_(catalog),
        first_(first),
        defines_(first == Keyword::create || first == Keyword::alter || first == Keyword::drop) {}

  /// To be called once. Judges `first` and what follows, up to the end of the statement, or, if `one_group`,
  /// up to the parenthesis that closes the one that `first` opens. Returns at what it stopped:
  /// semicolon, end or close.
  [[nodiscard]] TokenKind run(const Token& first, bool one_group = false);

  /// The same for a statement whose first word is the key word that begins a query, and was taken.
  [[nodiscard]] TokenKind run_query();

  /// The statement is not a read, and why (a static text); the first reason stays.
  void refuse(std::string_view why) {
    if (why_.empty()) why_ = why;
  }
  /// The statement does what these effects (routine_effect) of something it runs say.
  void take_effects(std::uint8_t effects, std::string_view why);
  /// The statement may leave this (session_state bits) in its session.
  void leaves_session_state(std::uint16_t bits, std::string_view why) {
    refuse(why);
    if (session_why_.empty()) session_why_ = why;
    session_state_ = static_cast<std::uint16_t>(session_state_ | bits);
    if ((bits & session_state::unknown) != 0) ends_session_state_ = true;
  }
  /// Only the primary may answer it: the statement reads what each node has of its own.
  void needs_primary() { needs_primary_ = true; }
  void ends_session_state() { ends_session_state_ = true; }
  /// Adds what another part of the same statement leaves, ends and reads.
  void take_state(const StatementBody& part) {
    if (part.session_state_ != 0) leaves_session_state(part.session_state_, part.session_why_);
    ends_session_state_ = ends_session_state_ || part.ends_session_state_;
    reads_sequence_state_ = reads_sequence_state_ || part.reads_sequence_state_;
    calls_set_config_ = calls_set_config_ || part.calls_set_config_;
    needs_primary_ = needs_primary_ || part.needs_primary_;
  }

  /// Empty: what was seen is a query that is proven to be a read.
  [[nodiscard]] std::string_view why() const { return why_; }
  /// What was seen that outlives the transaction in this session (session_state bits), and the first reason.
  [[nodiscard]] std::uint16_t session_state() const { return session_state_; }
  [[nodiscard]] std::string_view session_why() const { return session_why_; }
  [[nodiscard]] bool is_for_primary() const { return needs_primary_; }
  [[nodiscard]] bool may_end_session_state() const { return ends_session_state_; }
  [[nodiscard]] bool reads_sequence_state() const { return reads_sequence_state_; }
  [[nodiscard]] bool calls_set_config() const { return calls_set_config_; }
  [[nodiscard]] bool changes_functions() const { return changes_functions_; }

 private:
  /// What is known of one level of parentheses.
  enum class Level : std::uint8_t {
    plain,
    distinct_on,  ///< the list of DISTINCT ON, behind which an expression begins
    cte_name,     ///< WITH [RECURSIVE], or a comma after a query of the list: a name follows
    cte_columns,  ///< the name was seen: a column list or AS follows
    cte_query,    ///< AS [NOT MATERIALIZED] was seen: the query follows
    cte_done,     ///< the query was seen: a comma, or the statement proper
    // The arguments of set_config().
    set_config_any,   ///< the name of the setting is not known (yet)
    set_config,       ///< of a plain setting
    set_config_role,  ///< of role or session_authorization
  };
  struct Seen {
    TokenKind kind = TokenKind::end;
    Keyword keyword = Keyword::none;
  };
  static constexpr std::size_t kLevels = 64;  ///< deeper ones are plain
  static constexpr std::string_view kUnicodeName = "name with Unicode escapes";

  [[nodiscard]] TokenKind run_on();
  void begin(const Token& first);
  [[nodiscard]] bool ends_at(const Token& token);
  [[nodiscard]] TokenKind take_common_tokens();
  void word();
  void judge_node_name();
  void name(KeywordInfo info);
  void comma();
  void dot();
  void note(TokenKind kind, Keyword keyword = Keyword::none) {
    before_last_ = last_;
    last_ = {kind, keyword};
  }
  void seen(TokenKind kind, Keyword keyword = Keyword::none);
  void temporary_schema();
  void keyword(Keyword keyword);
  [[nodiscard]] bool is_data_change() const;
  void definition_word();
  [[nodiscard]] bool makes_temporary() const;
  void step_level(TokenKind kind, Keyword keyword);
  void open();
  void close();
  [[nodiscard]] bool is_call() const;
  [[nodiscard]] bool is_keyword_before_parenthesis() const;
  [[nodiscard]] static constexpr bool is_set_config(Level level) { return level >= Level::set_config_any; }
  void judge_call(Level& inner);
  [[nodiscard]] bool is_user_volatile() const;
  void judge_routine(FunctionKind kind);
  void target_of_update();
  void string(const Token& token);
  void name_setting();
  [[nodiscard]] bool skip_operator_name();

  SqlScanner& scanner_;
  const FunctionCatalog* catalog_;
  Keyword first_;
  bool defines_;  ///< CREATE, ALTER or DROP
  bool ends_session_state_ = false;
  bool reads_sequence_state_ = false;
  bool calls_set_config_ = false;
  bool needs_primary_ = false;
  bool changes_functions_ = false;
  std::uint8_t words_ = 0;  ///< of a CREATE, ALTER or DROP: how many were looked at
  std::uint16_t session_state_ = 0;
  std::uint32_t atomic_ = 0;  ///< inside BEGIN ATOMIC … END: the nesting of END
  std::string_view why_;
  std::string_view session_why_;
  std::size_t depth_ = 0;
  Seen last_;  ///< the token before the current one
  Seen before_last_;
  Seen before_name_;        ///< what stood before the last name and its qualification
  bool qualified_ = false;  ///< name_ follows a dot
  bool one_group_ = false;
  Level level_ = Level::plain;  ///< of this depth
  KeywordInfo name_info_;
  Token name_;                         ///< the last word or quoted word; after a dot without its key
  std::string_view string_;            ///< the last string among the arguments of a set_config()
  std::array<Level, kLevels> levels_;  ///< of the depths around this one
};

}  // namespace tidemark::routing
