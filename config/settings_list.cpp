#include "config/settings_list.hpp"

#include <variant>

#include "config/schema.hpp"
#include "config/units.hpp"

namespace tidemark::config {
namespace {

std::string print(const Key& key, const Value& value) {
  if (const auto* number = std::get_if<std::int64_t>(&value))
    return key.type == Type::size ? print_size(*number) : std::to_string(*number);
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "true" : "false";
  if (const auto* time = std::get_if<std::chrono::nanoseconds>(&value)) return print_duration(*time);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  std::string list;
  if (const auto* items = std::get_if<std::vector<Item>>(&value)) {
    for (const Item& item : *items) list.append(list.empty() ? "" : ", ").append(item.text);
  }
  return list;
}

std::string without_quotes(std::string_view text) {
  if (text.size() >= 2 && text.front() == '"' && text.back() == '"') text = text.substr(1, text.size() - 2);
  return std::string(text);
}

/// The list of tables that the key stands in; empty: none.
std::string_view list_of(std::string_view path) {
  for (auto parent = parent_path(path); !parent.empty(); parent = parent_path(parent)) {
    const Key* key = main_schema().find(parent);
    if (key != nullptr && key->type == Type::table_list) return parent;
  }
  return {};
}

SettingLine line(const Key& key, std::string name, const Document& document) {
  SettingLine line{std::move(name), {}, without_quotes(key.default_text), key.reload == Reload::applicable};
  const Entry* entry = document.find(key.path);
  line.value = entry != nullptr ? print(key, entry->value) : line.default_value;
  return line;
}

}  // namespace

std::vector<SettingLine> list_settings(const Document& document) {
  std::vector<SettingLine> lines;
  for (const Key& key : main_schema().keys) {
    if (key.type == Type::table || key.type == Type::table_list || key.support == Support::refused) continue;
    const auto list = list_of(key.path);
    if (list.empty()) {
      lines.push_back(line(key, std::string(key.path), document));
      continue;
    }
    std::size_t number = 0;
    for (const Document& element : document.list(list)) {
      ++number;
      if (element.find(key.path) == nullptr) continue;
      lines.push_back(line(
          key, std::string(list) + "." + std::to_string(number) + std::string(key.path.substr(list.size())),
          element));
    }
  }
  return lines;
}

}  // namespace tidemark::config
