#include "config/reload_plan.hpp"

#include <algorithm>
#include <optional>
#include <string_view>

#include "config/accept.hpp"
#include "config/schema.hpp"
#include "config/units.hpp"

namespace tidemark::config {
namespace {

/// A value as text that is the same if and only if the value is.
std::string print(const Value& value) {
  struct Printer {
    std::string operator()(std::monostate) const { return ""; }
    std::string operator()(Present) const { return ""; }
    std::string operator()(std::int64_t number) const { return std::to_string(number); }
    std::string operator()(bool value) const { return value ? "true" : "false"; }
    std::string operator()(std::chrono::nanoseconds time) const { return print_duration(time); }
    std::string operator()(const std::string& text) const { return '"' + text + '"'; }
    std::string operator()(const std::vector<Item>& items) const {
      std::string text;
      // The length in front: no two lists look the same.
      for (const Item& item : items) text += std::to_string(item.text.size()) + ':' + item.text;
      return text;
    }
  };
  return std::visit(Printer{}, value);
}

std::string print(const Document& document, const Key& key) {
  const Entry* entry = document.find(key.path);
  if (entry != nullptr) return print(entry->value);
  // Durations have several texts; the others are as TOML has them.
  std::string_view text = key.default_text;
  if (key.type != Type::duration || text.size() < 2) return std::string(text);
  text = text.substr(1, text.size() - 2);
  const auto accepted = accept_string(key, text, false);
  const auto* value = std::get_if<Value>(&accepted);
  return value == nullptr ? std::string(text) : print(*value);
}

[[nodiscard]] bool is_table(const Key& key) {
  return key.type == Type::table || key.type == Type::table_list;
}

/// The list of tables that the key belongs to, or nothing.
const Key* list_of(std::string_view path) {
  for (path = parent_path(path); !path.empty(); path = parent_path(path)) {
    const Key* key = main_schema().find(path);
    if (key != nullptr && key->type == Type::table_list) return key;
  }
  return nullptr;
}

bool same_list(const Document& a, const Document& b, const Key& list) {
  const auto& left = a.list(list.path);
  const auto& right = b.list(list.path);
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [&](const Document& x, const Document& y) {
                      return std::ranges::all_of(main_schema().keys, [&](const Key& key) {
                        return list_of(key.path) != &list || is_table(key) || print(x, key) == print(y, key);
                      });
                    });
}

bool same(const Document& a, const Document& b, const Key& key) {
  return key.type == Type::table_list ? same_list(a, b, key) : print(a, key) == print(b, key);
}

/// A list is applied if all that its tables can hold is.
bool is_applied(const Key& key) {
  if (key.type != Type::table_list) return key.reload == Reload::applicable;
  return std::ranges::all_of(main_schema().keys, [&](const Key& other) {
    return list_of(other.path) != &key || other.reload == Reload::applicable;
  });
}

}  // namespace

ReloadPlan plan_reload(const Document& started, const Document& current, const Document& next) {
  ReloadPlan plan;
  for (const Key& key : main_schema().keys) {
    if (key.type == Type::table || list_of(key.path) != nullptr) continue;
    if (is_applied(key)) {
      if (!same(current, next, key)) plan.applied.emplace_back(key.path);
    } else if (!same(started, next, key)) {
      plan.needs_restart.emplace_back(key.path);
    }
  }
  return plan;
}

}  // namespace tidemark::config
