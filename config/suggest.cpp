#include "config/suggest.hpp"

#include <vector>

#include "config/nearest.hpp"
#include "config/text.hpp"

namespace tidemark::config {

std::optional<std::string_view> suggest_key(const Schema& schema, std::string_view path) {
  const std::string_view parent = parent_path(path);
  const std::string_view leaf = leaf_name(path);
  std::vector<std::string_view> neighbours;
  std::vector<std::string_view> namesakes;
  std::vector<std::string_view> all;
  for (const Key& key : schema.keys) {
    if (key.support == Support::refused) continue;
    all.push_back(key.path);
    if (parent_path(key.path) == parent) neighbours.push_back(leaf_name(key.path));
    if (leaf_name(key.path) == leaf) namesakes.push_back(key.path);
  }
  if (const auto found = nearest(leaf, neighbours)) {
    for (const Key& key : schema.keys) {
      if (parent_path(key.path) == parent && leaf_name(key.path) == *found) return key.path;
    }
  }
  if (!namesakes.empty()) return by_distance(path, namesakes).front();
  return nearest(path, all);
}

std::string list_choices(const Key& key, std::string_view text) {
  std::vector<std::string_view> allowed;
  for (const Choice& choice : key.choices) {
    if (choice.supported) allowed.push_back(choice.text);
  }
  std::string result = "; allowed: ";
  bool first = true;
  for (const std::string_view choice : by_distance(text, allowed)) {
    if (!first) result += ", ";
    first = false;
    result += in_quotes(choice);
  }
  return result;
}

}  // namespace tidemark::config
