#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/problem.hpp"

namespace tidemark::config {

/// One string of a list, with its place.
struct Item {
  std::string text;
  Position where;

  friend bool operator==(const Item&, const Item&) = default;
};

/// Stands for a table or a list of tables that is there.
struct Present {
  friend bool operator==(const Present&, const Present&) = default;
};

/// A value that the schema accepts. monostate: the key is there, but its value was refused (and reported), so
/// that no rule complains about it a second time.
using Value = std::variant<std::monostate, Present, std::int64_t, bool, std::chrono::nanoseconds, std::string,
                           std::vector<Item>>;

struct Entry {
  Position key_at;
  Position value_at;
  Value value;
};

/// What a file says, in our own terms. Keys are whole paths ("listen.port"), in the elements of a list of
/// tables too ("cluster.node.weight").
struct Document {
  Position at;  ///< of an element of a list: its header
  std::map<std::string, Entry, std::less<>> entries;
  std::map<std::string, std::vector<Document>, std::less<>> lists;

  [[nodiscard]] const Entry* find(std::string_view path) const {
    const auto found = entries.find(path);
    return found == entries.end() ? nullptr : &found->second;
  }
  /// The value, or nullptr when the key is absent or its value was refused.
  template <typename T>
  [[nodiscard]] const T* get(std::string_view path) const {
    const Entry* entry = find(path);
    return entry == nullptr ? nullptr : std::get_if<T>(&entry->value);
  }
  [[nodiscard]] const std::vector<Document>& list(std::string_view path) const {
    static const std::vector<Document> none;
    const auto found = lists.find(path);
    return found == lists.end() ? none : found->second;
  }
};

}  // namespace tidemark::config
