#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_map.h>

#include "pools/prepared_statements.hpp"
#include "routing/statement_class.hpp"

namespace tidemark::proxy {

/// A prepared statement's text and parameter types, shared by all sessions of a worker that prepared the
/// same.
struct PreparedText {
  pools::StatementId id = 0;
  std::string definition;  ///< as in Parse behind the name: query, NUL, parameter types
  std::string database;    ///< functions differ between databases, so classes do
  routing::Classification classification;
  std::uint64_t classified_with = 0;  ///< generation of the function catalogs; 0: not classified
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

  [[nodiscard]] Reference refer(std::string_view definition, std::string_view database);
  /// The same text under an id of its own, shared with nobody: certainly prepared on no server.
  [[nodiscard]] Reference refer_alone(std::string_view definition, std::string_view database);
  [[nodiscard]] std::size_t size() const { return texts_.size(); }

 private:
  [[nodiscard]] PreparedText* make(std::string_view definition, std::string_view database);
  void drop(PreparedText& text);
  std::uint64_t next_id_;
  absl::flat_hash_map<std::string, PreparedText*> texts_;  ///< by database, NUL, definition
};

}  // namespace tidemark::proxy
