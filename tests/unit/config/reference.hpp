#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.hpp"
#include "config/units.hpp"

namespace tidemark::config {

/// How README.md has to name a list of choices, supported or not.
inline std::string choices_text(const Key& key, bool supported) {
  std::string text;
  for (const Choice& choice : key.choices) {
    if (choice.supported != supported || !choice.why_not.empty()) continue;
    text += (text.empty() ? "`" : ", `") + std::string(choice.text) + '`';
  }
  return text;
}

inline std::string limits_text(const Key& key) {
  const auto range = [](const std::string& from, const std::string& to) {
    return ' ' + from + " to " + to + '.';
  };
  switch (key.type) {
    case Type::integer:
      return range(std::to_string(key.min), std::to_string(key.max));
    case Type::duration:
      return range(print_duration(std::chrono::nanoseconds(key.min)),
                   print_duration(std::chrono::nanoseconds(key.max)));
    case Type::size:
      return range(print_size(key.min), print_size(key.max));
    case Type::choice: {
      const std::string refused = choices_text(key, false);
      return " One of " + choices_text(key, true) +
             (refused.empty() ? "." : "; not in this version: " + refused + '.');
    }
    case Type::table:
    case Type::table_list:
    case Type::string:
    case Type::string_list:
    case Type::boolean:
      break;
  }
  return "";
}

/// The line of README.md for one key: a heading for a table, else a row.
inline std::string reference_line(const Key& key) {
  const std::string path(key.path);
  const std::string meaning(key.meaning);
  const bool refused = key.support == Support::refused;
  if (key.type == Type::table && !refused) return "### `[" + path + "]` " + meaning;
  if (key.type == Type::table_list && !refused) return "### `[[" + path + "]]` " + meaning;
  const std::string value = key.default_text.empty() ? "–" : '`' + std::string(key.default_text) + '`';
  const std::string reload = refused ? "refused" : key.reload == Reload::applicable ? "reload" : "restart";
  return "| `" + path + "` | " + value + " | " + reload + " | " + meaning + limits_text(key) + " |";
}

/// All of them, of both kinds of files.
inline std::vector<std::string> reference_lines() {
  std::vector<std::string> lines;
  for (const Schema* schema : {&main_schema(), &users_schema()}) {
    for (const Key& key : schema->keys) lines.push_back(reference_line(key));
  }
  return lines;
}

}  // namespace tidemark::config
