#pragma once

// What PostgreSQL's own grammar (libpg_query) says of a text, as far as classify() must agree with it.

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include <pg_query.h>

#include "routing/function_catalog.hpp"
#include "routing/safe_functions.hpp"
#include "routing/statement_class.hpp"
#include "routing/word_table.hpp"

namespace tidemark::routing {

/// PostgreSQL 15's functions, from tests/data, and a few of a user's.
class KnownFunctions {
 public:
  KnownFunctions() {
    std::ifstream file(TIDEMARK_TEST_DATA "/routing/pg_proc_15.tsv");
    for (std::string line; std::getline(file, line);) {
      const std::size_t tab = line.find('\t');
      if (line.starts_with('#') || tab == std::string::npos) continue;
      if (line.substr(tab + 1) != "t") catalog_.safe.emplace(line.substr(0, tab));
    }
    for (const char* name : {"known_safe", "Known Safe", "tax_of", "_pg_expandarray"})
      catalog_.safe.emplace(name);
  }
  [[nodiscard]] const FunctionCatalog& catalog() const { return catalog_; }

  /// Not volatile, or volatile and on the list of those that write nothing; by the stored name.
  [[nodiscard]] bool is_calm(std::string_view name) const {
    if (name == "txid_current" || name == "pg_current_xact_id") return false;  // they assign one
    if (catalog_.is_safe(name)) return true;
    // What the grammar makes of forms with a syntax of their own, and sampling methods.
    for (const std::string_view special :
         {"pg_collation_for", "xmlexists", "is_normalized", "system", "bernoulli", "xmlconcat"}) {
      if (name == special) return true;
    }
    for (const FunctionKind kind : {FunctionKind::harmless, FunctionKind::syntax}) {
      const auto names = built_in_names(kind);
      if (std::find(names.begin(), names.end(), name) != names.end()) return true;
    }
    return false;
  }

 private:
  FunctionCatalog catalog_;
};

inline const KnownFunctions& known_functions() {
  static const KnownFunctions known;
  return known;
}

/// A value of JSON as libpg_query writes it; strings keep their escapes. Views into the text.
struct Json {
  std::string_view text;
  std::vector<std::pair<std::string_view, Json>> members;  ///< of an object; of a list without names

  [[nodiscard]] const Json* find(std::string_view name) const {
    for (const auto& [key, value] : members) {
      if (key == name) return &value;
    }
    return nullptr;
  }
  [[nodiscard]] std::string_view text_of(std::string_view name) const {
    const Json* const found = find(name);
    return found == nullptr ? std::string_view{} : found->text;
  }
};

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : rest_(text) {}

  Json value() {
    Json result;
    const char first = rest_.front();
    if (first == '"') {
      result.text = string();
    } else if (first == '{' || first == '[') {
      const char last = first == '{' ? '}' : ']';
      rest_.remove_prefix(1);
      while (rest_.front() != last) {
        std::string_view name;
        if (first == '{') {
          name = string();
          rest_.remove_prefix(1);
        }
        result.members.emplace_back(name, value());
        if (rest_.front() == ',') rest_.remove_prefix(1);
      }
      rest_.remove_prefix(1);
    } else {
      const std::size_t size = rest_.find_first_of(",}]");
      result.text = rest_.substr(0, size);
      rest_.remove_prefix(result.text.size());
    }
    return result;
  }

 private:
  std::string_view string() {
    std::size_t end = 1;
    while (rest_[end] != '"') end += rest_[end] == '\\' ? 2U : 1U;
    const std::string_view result = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    return result;
  }

  std::string_view rest_;
};

/// What the parse tree says. `must_…`: what classify() has to have seen, it may see more.
struct Truth {
  bool valid = false;
  bool read = false;  ///< writes nothing, locks nothing, and calls nothing that may
  std::size_t statements = 0;
  std::uint16_t must_leave = 0;     ///< session_state bits
  bool must_leave_setting = false;  ///< `settings` or `role`, the tree does not say which
  bool must_end = false;
  bool must_read_sequence = false;
  bool must_say_may_commit = false;
  bool must_change_functions = false;
  bool may_be_only_settings = false;
  bool is_commit = false;
  bool is_begin = false;
  bool may_be_begin_read_only = false;
  bool may_be_end = false;
  bool may_be_local = false;
};

class TruthFinder {
 public:
  [[nodiscard]] static Truth of(const std::string& sql) {
    const PgQueryParseResult result = pg_query_parse(sql.c_str());
    Truth truth;
    if (result.error == nullptr) {
      const std::string tree(result.parse_tree);
      const Json root = JsonReader(tree).value();
      truth = TruthFinder().run(root);
    }
    pg_query_free_parse_result(result);
    return truth;
  }

 private:
  Truth run(const Json& root) {
    truth_.valid = true;
    const Json* const statements = root.find("stmts");
    if (statements == nullptr) return truth_;
    truth_.statements = statements->members.size();
    truth_.read = truth_.statements != 0;
    truth_.may_be_only_settings = truth_.statements != 0;
    truth_.may_be_local = truth_.statements == 1;
    for (const auto& one : statements->members) {
      const Json* const statement = one.second.find("stmt");
      if (statement == nullptr || statement->members.empty()) continue;
      top(statement->members.front().first, statement->members.front().second);
      walk(*statement);
    }
    if (truth_.statements > 1) {
      truth_.must_say_may_commit = truth_.must_say_may_commit || control_;
      truth_.is_commit = truth_.is_begin = truth_.may_be_begin_read_only = truth_.may_be_end = false;
    }
    return truth_;
  }

  void leave(std::uint16_t bits) { truth_.must_leave = static_cast<std::uint16_t>(truth_.must_leave | bits); }

  void top(std::string_view kind, const Json& node) {
    if (!may_read(kind, node)) truth_.read = false;
    if (kind != "VariableSetStmt") truth_.may_be_only_settings = false;
    if (kind == "TransactionStmt") return transaction(node);
    if (kind == "VariableSetStmt") return set(node);
    if (kind != "ConstraintsSetStmt") truth_.may_be_local = false;
    if (kind == "ListenStmt") leave(session_state::listen);
    if (kind == "PrepareStmt") leave(session_state::prepared);
    if (kind == "LoadStmt") leave(session_state::unaskable);
    if (kind == "DeclareCursorStmt" && (std::stoi(std::string(node.text_of("options"))) & 32) != 0)
      leave(session_state::held_cursor);
    if (kind == "CallStmt" || kind == "DoStmt") {
      leave(session_state::unknown);
      truth_.must_say_may_commit = true;
    }
    if (kind == "DiscardStmt" && node.text_of("target") == "DISCARD_ALL") leave(session_state::settings);
    for (const std::string_view ends : {"DiscardStmt", "UnlistenStmt", "ClosePortalStmt", "DeallocateStmt",
                                        "DropStmt", "ExecuteStmt", "CallStmt", "DoStmt"}) {
      if (kind == ends) truth_.must_end = true;
    }
    const std::string_view removed = kind == "DropStmt" ? node.text_of("removeType") : std::string_view{};
    if (kind == "CreateFunctionStmt" || kind == "AlterFunctionStmt" || kind == "CreateExtensionStmt" ||
        removed == "OBJECT_FUNCTION" || removed == "OBJECT_PROCEDURE" || removed == "OBJECT_ROUTINE" ||
        removed == "OBJECT_AGGREGATE" || removed == "OBJECT_EXTENSION") {
      truth_.must_change_functions = true;
    }
  }

  static bool may_read(std::string_view kind, const Json& node) {
    if (kind == "SelectStmt") return true;
    if (kind == "VariableShowStmt") {
      // These two differ between the nodes of a cluster: reads, but the primary's.
      const std::string_view name = node.text_of("name");
      return name != "transaction_read_only" && name != "in_hot_standby";
    }
    if (kind == "CopyStmt") {
      return node.find("is_from") == nullptr && node.find("is_program") == nullptr &&
             node.find("filename") == nullptr;
    }
    if (kind == "ExplainStmt") {
      const Json* const query = node.find("query");
      return query != nullptr && query->find("SelectStmt") != nullptr;
    }
    return false;
  }

  void transaction(const Json& node) {
    const std::string_view kind = node.text_of("kind");
    const bool savepoint =
        kind == "TRANS_STMT_SAVEPOINT" || kind == "TRANS_STMT_RELEASE" || kind == "TRANS_STMT_ROLLBACK_TO";
    if (!savepoint) {
      truth_.may_be_local = false;
      control_ = true;
    }
    if (kind == "TRANS_STMT_COMMIT" || kind == "TRANS_STMT_PREPARE") truth_.is_commit = true;
    if (kind == "TRANS_STMT_COMMIT_PREPARED" || kind == "TRANS_STMT_ROLLBACK_PREPARED" ||
        node.find("chain") != nullptr) {
      truth_.must_say_may_commit = true;
    }
    truth_.may_be_end = truth_.is_commit || kind == "TRANS_STMT_ROLLBACK";
    if (kind != "TRANS_STMT_BEGIN" && kind != "TRANS_STMT_START") return;
    truth_.is_begin = true;
    const Json* const options = node.find("options");
    if (options == nullptr) return;
    bool read_only = false;
    bool refused = false;
    for (const auto& option : options->members) {
      const Json* const element = option.second.find("DefElem");
      const Json* const argument = element->find("arg")->find("A_Const");
      if (element->text_of("defname") == "transaction_read_only") {
        const Json* const value = argument->find("ival");
        const bool on = value != nullptr && value->text_of("ival") == "1";
        refused = refused || !on;
        read_only = on;
      }
      if (element->text_of("defname") == "transaction_isolation" &&
          argument->find("sval")->text_of("sval") == "serializable") {
        refused = true;
      }
    }
    truth_.may_be_begin_read_only = read_only && !refused;
  }

  static std::string lower(std::string_view text) {
    std::string result(text);
    std::transform(result.begin(), result.end(), result.begin(), ascii_lower);
    return result;
  }

  void set(const Json& node) {
    const std::string name = lower(node.text_of("name"));
    const std::string_view kind = node.text_of("kind");
    const bool resets = kind == "VAR_RESET" || kind == "VAR_RESET_ALL";
    const bool of_the_transaction = node.find("is_local") != nullptr ||
                                    (kind == "VAR_SET_MULTI" && name.starts_with("transaction")) ||
                                    name == "transaction_isolation" || name == "transaction_read_only" ||
                                    name == "transaction_deferrable";
    const bool is_role = name == "role" || name == "session_authorization";
    if (resets || is_role) truth_.must_end = truth_.must_end || !of_the_transaction;
    if (name == "seed" && !resets) leave(session_state::unaskable);
    if (name == "search_path") {
      std::string values;
      collect(node, values);
      if (values.find(" pg_temp ") != std::string::npos) leave(session_state::unaskable);
    }
    if (of_the_transaction || is_role || (name == "seed" && !resets)) truth_.may_be_only_settings = false;
    if (!of_the_transaction) truth_.may_be_local = false;
    if (!of_the_transaction && (name != "seed" || resets))
      leave(is_role ? session_state::role : session_state::settings);
  }

  static void collect(const Json& node, std::string& values) {
    values += lower(node.text);
    values += ' ';
    for (const auto& member : node.members) collect(member.second, values);
  }

  void walk(const Json& node) {
    for (const auto& [name, value] : node.members) {
      for (const std::string_view writes :
           {"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "intoClause", "LockingClause"}) {
        if (name == writes) truth_.read = false;
      }
      if (name == "relpersistence" && value.text == "t") leave(session_state::temporary);
      if (name == "schemaname" && value.text == "pg_temp") leave(session_state::temporary);
      if (name == "ExecuteStmt") leave(session_state::unknown);
      if (name == "FuncCall") call(value);
      if (name == "RangeTableSample" && !known_functions().is_calm(last_name(value, "method")))
        truth_.read = false;
      walk(value);
    }
  }

  static std::string_view last_name(const Json& node, std::string_view list) {
    const Json* const names = node.find(list);
    if (names == nullptr || names->members.empty()) return {};
    const Json* const last = names->members.back().second.find("String");
    return last == nullptr ? std::string_view{} : last->text_of("sval");
  }

  void call(const Json& node) {
    const std::string_view name = last_name(node, "funcname");
    if (!known_functions().is_calm(name)) truth_.read = false;
    const auto is_one_of = [name](std::initializer_list<std::string_view> names) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    if (is_one_of({"pg_advisory_lock", "pg_advisory_lock_shared", "pg_try_advisory_lock",
                   "pg_try_advisory_lock_shared"})) {
      leave(session_state::advisory_lock);
    }
    if (is_one_of({"pg_advisory_unlock", "pg_advisory_unlock_shared", "pg_advisory_unlock_all"}))
      truth_.must_end = true;
    if (name == "setseed") leave(session_state::unaskable);
    if (is_one_of({"lastval", "currval"})) truth_.must_read_sequence = true;
    if (name == "set_config") set_config(node);
  }

  void set_config(const Json& node) {
    truth_.read = false;
    const Json* const arguments = node.find("args");
    if (arguments == nullptr || arguments->members.size() != 3) return;  // there is no such function
    const auto constant = [arguments](std::size_t i, std::string_view kind) -> std::string {
      const Json* const value = arguments->members[i].second.find("A_Const");
      const Json* const typed = value == nullptr ? nullptr : value->find(kind);
      return typed == nullptr ? std::string() : lower(typed->text_of(kind));
    };
    const std::string setting = constant(0, "sval");
    if (setting == "seed") leave(session_state::unaskable);
    if (constant(2, "boolval") == "true") return;
    if (setting == "role" || setting == "session_authorization") {
      leave(session_state::role);
    } else {
      truth_.must_leave_setting = true;
    }
  }

  Truth truth_;
  bool control_ = false;
};

/// The first thing in which a classification contradicts the parse tree; empty if there is none. Text that
/// PostgreSQL refuses may be called anything.
inline std::string_view contradiction(const Truth& truth, const Classification& found) {
  using Class = StatementClass;
  if (!truth.valid) return {};
  const bool any = (found.session_state & session_state::unknown) != 0;
  const auto without = [&found, any](std::uint16_t bits) {
    return !any && (bits & ~found.session_state) != 0;
  };
  if (found.statement == Class::read && !truth.read) return "a read that is none";
  if (found.statement == Class::empty && truth.statements != 0) return "empty";
  if (without(truth.must_leave)) return "session state";
  if (truth.must_leave_setting && !any &&
      (found.session_state & (session_state::settings | session_state::role)) == 0) {
    return "set_config";
  }
  if (truth.must_end && !found.ends_session_state) return "end of session state";
  if (truth.must_read_sequence && !found.reads_sequence_state) return "sequence";
  if (truth.must_say_may_commit && !found.may_commit) return "may commit";
  if (truth.must_change_functions && !found.changes_functions) return "functions";
  if (found.only_settings && !truth.may_be_only_settings) return "only settings";
  if (truth.statements > 1 && !found.several) return "several";
  if (found.is_commit != truth.is_commit) return "commit";
  if (found.statement == Class::begin_read_only && !truth.may_be_begin_read_only) return "begin read only";
  if (found.statement == Class::begin && !truth.is_begin) return "begin";
  if (found.statement == Class::end && !truth.may_be_end) return "end";
  if (found.statement == Class::transaction_local && !truth.may_be_local) return "transaction local";
  if (found.leaves_session_state != (found.session_state != 0)) return "leaves session state";
  return {};
}

}  // namespace tidemark::routing
