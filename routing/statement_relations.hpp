#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "routing/sql_scanner.hpp"

namespace tidemark::routing {

/// A relation as a text names it: parts of the text, without the quotes around them.
struct RelationName {
  std::string_view schema;  ///< empty: the name is not qualified
  std::string_view name;
  bool schema_is_quoted = false;
  bool name_is_quoted = false;
  /// The text does not tell which name it is: it has Unicode escapes, or more bytes than PostgreSQL keeps of
  /// a name (NAMEDATALEN).
  bool unclear = false;
};

/// As PostgreSQL has the names: unquoted parts in lower case, doubled quotes once.
[[nodiscard]] std::string to_string(const RelationName& relation);

/// Goes through the relations that a text names in the places where a relation can stand: after FROM, JOIN,
/// INTO, UPDATE, TABLE, USING, ONLY, at the commas of a FROM list, after COPY; at any depth, in all of its
/// statements. One pass (two where a backslash may hide a quote), linear, without allocation; the text must
/// outlive it. Any bytes may be given.
///
/// Where it cannot tell it reports too much rather than too little: names of common table expressions, which
/// are relations of the text itself; some words behind FROM that are no relations (ROWS FROM, CURRENT_DATE,
/// FETCH … FROM a cursor); anything nested deeper than 64 parentheses. One relation may be reported often.
///
/// Not seen: what views, functions, rules and triggers read, sequences and what else strings name
/// ('payments'::regclass), and relations of utility commands that stand elsewhere (TRUNCATE a, CREATE INDEX
/// ON a). Text that SqlScanner calls doubtful() is not read in all of its ways. None of these is ever a read
/// at a replica, but for views and functions.
class StatementRelations {
 public:
  explicit StatementRelations(std::string_view sql) : sql_(sql), scanner_(sql) {}

  /// The next one, nullopt after the last.
  [[nodiscard]] std::optional<RelationName> next();

 private:
  enum class Role : std::uint8_t;
  enum class Expect : std::uint8_t {
    none,
    source,    ///< of a FROM list: a relation or a function
    relation,  ///< a relation, which a parenthesis may follow
  };
  static constexpr std::size_t kLevels = 64;
  // What is known of one level of parentheses.
  static constexpr std::uint8_t kQuery = 1;     ///< a FROM there begins a FROM list
  static constexpr std::uint8_t kFromList = 2;  ///< a relation may follow a comma
  static constexpr std::uint8_t kDelete = 4;    ///< USING begins a FROM list
  static constexpr std::uint8_t kAll = 7;

  [[nodiscard]] static Role role_of(const Token& word);
  [[nodiscard]] static bool may_be_name(Role role);
  [[nodiscard]] Token take();
  [[nodiscard]] const Token& peek();
  [[nodiscard]] std::optional<RelationName> name(Token part);
  void keyword(Role role);
  void begin_from_list();
  void begin_statement();
  void open(std::uint8_t level);
  void close();
  [[nodiscard]] bool is_deep() const { return depth_ >= kLevels; }
  [[nodiscard]] bool has(std::uint8_t what) const { return (level_ & what) != 0; }
  void add(std::uint8_t what) { level_ = static_cast<std::uint8_t>(level_ | what); }
  void remove(std::uint8_t what) {
    if (!is_deep()) level_ = static_cast<std::uint8_t>(level_ & ~what);
  }

  std::string_view sql_;
  SqlScanner scanner_;
  std::optional<Token> ahead_;
  bool second_pass_ = false;
  bool first_of_statement_ = true;
  bool after_dot_ = false;
  Expect expect_ = Expect::none;
  Role last_{};  ///< the token before; of all but key words it is none
  Role before_last_{};
  std::uint8_t level_ = kQuery;  ///< of this depth
  std::size_t depth_ = 0;
  std::array<std::uint8_t, kLevels> levels_{};  ///< of the depths around this one
};

}  // namespace tidemark::routing
