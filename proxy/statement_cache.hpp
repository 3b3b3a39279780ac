#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "pools/prepared_statements.hpp"
#include "pools/session_settings.hpp"
#include "routing/statement_class.hpp"

namespace tidemark::proxy {

/// A prepared statement's text and parameter types, shared by all sessions of a worker that prepared the
/// same.
struct PreparedText {
  pools::StatementId id = 0;
  std::string server_name;  ///< pools::server_statement_name of the id
  std::string definition;   ///< as in Parse behind the name: query, NUL, parameter types
  std::string database;     ///< functions differ between databases, so classes do
  /// Settings under which it is prepared: constants in it are read when it is (TimeZone, DateStyle).
  pools::SettingsPointer settings;
  std::uint64_t parameters = 0;  ///< shape of the types of its parameters, as last told to a client; 0: never
  std::string typed_definition;  ///< with these types instead of those that Parse gave
  routing::Classification classification;
  std::uint64_t classified_with = 0;  ///< generation of the function catalogs; 0: not classified
  bool may_be_command = false;        ///< may_be_tidemark_command
  bool may_have_hint = false;         ///< routing::begins_with_comment
  bool refused_by_replica = false;    ///< a replica answered 25006: the primary only, from now on
  std::uint32_t references = 0;

  [[nodiscard]] std::string_view query() const {
    return std::string_view(definition).substr(0, definition.find('\0'));
  }
};

/// Holds PreparedTexts by content while a session refers to them. One thread; bounded by what sessions hold.
class StatementCache {
 public:
  /// Ids are unique in the process when `worker` is.
  explicit StatementCache(unsigned worker) : next_id_(std::uint64_t{worker} << 40 | 1) {}
  StatementCache(const StatementCache&) = delete;
  StatementCache& operator=(const StatementCache&) = delete;
  ~StatementCache();

  class Reference {
   public:
    Reference() = default;
    Reference(StatementCache& cache, PreparedText& text) : cache_(&cache), text_(&text) { ++text.references; }
    Reference(Reference&& other) noexcept : cache_(other.cache_), text_(other.text_) {
      other.text_ = nullptr;
    }
    Reference& operator=(Reference&& other) noexcept {
      std::swap(cache_, other.cache_);
      std::swap(text_, other.text_);
      return *this;
    }
    ~Reference() {
      if (text_ != nullptr) cache_->drop(*text_);
    }
    PreparedText& operator*() const { return *text_; }
    PreparedText* operator->() const { return text_; }
    PreparedText* get() const { return text_; }

   private:
    StatementCache* cache_ = nullptr;
    PreparedText* text_ = nullptr;
  };

  /// `settings`: of one table only, so that equal ones are one object.
  [[nodiscard]] Reference refer(std::string_view definition, std::string_view database,
                                const pools::SettingsPointer& settings);
  /// The same text under an id of its own, shared with nobody: certainly prepared on no server.
  [[nodiscard]] Reference refer_alone(std::string_view definition, std::string_view database);
  /// Gives `text` a new id: no server has it prepared yet, as after a change of the tables that it reads.
  void renew(PreparedText& text) {
    text.id = next_id_++;
    text.server_name = pools::server_statement_name(text.id);
  }
  [[nodiscard]] std::size_t size() const { return texts_.size(); }

 private:
  [[nodiscard]] PreparedText* make(std::string_view definition, std::string_view database,
                                   pools::SettingsPointer settings);
  void drop(PreparedText& text);
  std::uint64_t next_id_;
  absl::flat_hash_map<std::string, PreparedText*> texts_;  ///< by settings, database, NUL, definition
};

}  // namespace tidemark::proxy
