#pragma once

#include <cstdint>
#include <string_view>

#include "routing/function_catalog.hpp"
#include "routing/sql_keywords.hpp"
#include "routing/sql_scanner.hpp"
#include "routing/statement_body.hpp"
#include "routing/statement_class.hpp"
#include "routing/word_table.hpp"

namespace tidemark::routing {

/// One run of classify() over a text: tells the statements of the text apart by their first words, and reads
/// those whose form matters. Transaction control and settings are in statement_control.cpp.
class Classifier {
 public:
  Classifier(std::string_view sql, const FunctionCatalog* catalog, Backslashes backslashes)
      : scanner_(sql, backslashes), catalog_(catalog) {}

  /// To be called once.
  [[nodiscard]] Classification run();

  /// Adds what these effects (routine_effect) of something that the text names say.
  static void add_effects(std::uint8_t effects, Classification& one);

  /// Of the text that was run through.
  [[nodiscard]] const SqlScanner& scanner() const { return scanner_; }

 private:
  using Class = StatementClass;

  // Each of these begins behind the statement's first word and ends at the semicolon or the end.
  Classification statement();
  Classification begin(bool start);
  Classification commit_or_rollback(bool commit);
  Classification set();
  Classification set_variable(bool local);
  Classification reset();
  Classification discard();
  Classification prepare();
  Classification show();
  Classification copy();
  Classification explain();
  Classification other(Keyword first, Class known, std::string_view why);
  Classification leaves(Keyword first, std::uint16_t bits, std::string_view why);
  Classification ends(Keyword first, std::string_view why);
  Classification query(Keyword first);

  void advance();
  [[nodiscard]] bool at(std::string_view lower) const {
    return now_.kind == TokenKind::word && equals_folded(now_.text, lower);
  }
  [[nodiscard]] bool take(std::string_view lower) {
    if (!at(lower)) return false;
    advance();
    return true;
  }
  /// Whether the word before was the name of a setting, or the class in one's name.
  [[nodiscard]] bool after_setting_name() const {
    return now_.kind == TokenKind::dot || now_.kind == TokenKind::op || at("to") || at_end();
  }
  [[nodiscard]] bool at_end() const {
    return now_.kind == TokenKind::semicolon || now_.kind == TokenKind::end;
  }
  [[nodiscard]] Keyword now_keyword() const {
    return now_.kind == TokenKind::word ? keyword_info(now_).keyword : Keyword::none;
  }
  void add_hidden_effects(Keyword first, Classification& one) const;
  [[nodiscard]] bool take_copy_table(StatementBody& source);
  [[nodiscard]] static Classification of(const StatementBody& body, Class known, std::string_view why);

  SqlScanner scanner_;
  const FunctionCatalog* catalog_;
  Token now_;
};

}  // namespace tidemark::routing
