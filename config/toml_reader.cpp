#include "config/toml_reader.hpp"

#include <cstddef>
#include <string>
#include <utility>

#include <toml++/toml.h>

#include "config/accept.hpp"
#include "config/suggest.hpp"
#include "config/text.hpp"
#include "config/toml_guard.hpp"

namespace tidemark::config {
namespace {

Position begin_of(const toml::source_region& region) {
  return {region.begin.line, region.begin.column};
}

std::string_view kind_of(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a float";
    case toml::node_type::boolean:
      return "a boolean";
    case toml::node_type::date:
    case toml::node_type::time:
    case toml::node_type::date_time:
      return "a date or time";
    case toml::node_type::none:
      break;
  }
  return "nothing";
}

class Reader {
 public:
  Reader(std::string_view file_name, const Schema& schema, Reading& reading)
      : file_name_(file_name), schema_(schema), reading_(reading) {}

  void error(Position where, std::string message) {
    reading_.problems.push_back({Severity::error, std::string(file_name_), where, std::move(message)});
  }

  void read_table(const toml::table& table, const std::string& prefix, Document& into) {
    for (const auto& [name, node] : table) {
      const std::string path =
          prefix.empty() ? std::string(name.str()) : prefix + '.' + std::string(name.str());
      const Position key_at = begin_of(name.source());
      const Key* key = schema_.find(path);
      if (name.str().find('.') != std::string_view::npos) {
        error(key_at, "unknown key " + in_quotes(path) + ": in quotes the dot is part of the name");
      } else if (key == nullptr) {
        unknown_key(key_at, path);
      } else if (key->support == Support::refused) {
        error(key_at, in_quotes(path) + " is not supported by this version");
      } else {
        read_key(*key, key_at, node, into);
      }
    }
  }

 private:
  void unknown_key(Position where, const std::string& path) {
    std::string message = "unknown key " + in_quotes(path);
    if (const auto suggestion = suggest_key(schema_, path))
      message += "; did you mean " + in_quotes(*suggestion) + "?";
    error(where, std::move(message));
  }

  void read_key(const Key& key, Position key_at, const toml::node& node, Document& into) {
    Entry& entry = into.entries[std::string(key.path)];
    entry.key_at = key_at;
    entry.value_at = begin_of(node.source());
    const bool wants_table = key.type == Type::table;
    const bool wants_array = key.type == Type::table_list || key.type == Type::string_list;
    if (wants_table && node.is_table()) {
      entry.value = Present{};
      read_table(*node.as_table(), std::string(key.path), into);
    } else if (wants_array && node.is_array()) {
      read_array(key, *node.as_array(), entry, into);
    } else if (wants_table || wants_array || node.is_table() || node.is_array()) {
      // The header of a table is where its reader looks, not the first thing in it.
      error(node.is_table() ? key_at : entry.value_at, wrong_type(key, kind_of(node)));
    } else {
      read_scalar(key, node, entry);
    }
  }

  void read_scalar(const Key& key, const toml::node& node, Entry& entry) {
    Accepted accepted = [&]() -> Accepted {
      if (const auto* text = node.as_string()) return accept_string(key, text->get(), schema_.secret);
      if (const auto* number = node.as_integer()) return accept_integer(key, number->get());
      if (const auto* flag = node.as_boolean()) return accept_boolean(key, flag->get());
      return Refusal{wrong_type(key, kind_of(node))};
    }();
    if (auto* refusal = std::get_if<Refusal>(&accepted)) {
      error(entry.value_at, std::move(refusal->message));
      return;
    }
    entry.value = std::get<Value>(std::move(accepted));
  }

  void read_array(const Key& key, const toml::array& array, Entry& entry, Document& into) {
    if (key.type == Type::table_list) {
      entry.value = Present{};
      auto& elements = into.lists[std::string(key.path)];
      for (const toml::node& element : array) {
        const Position at = begin_of(element.source());
        if (!element.is_table()) {
          error(at, "an element of " + wrong_type_of_element(key, element));
          continue;
        }
        elements.emplace_back().at = at;
        read_table(*element.as_table(), std::string(key.path), elements.back());
      }
      return;
    }
    std::vector<Item> items;
    bool sound = true;
    for (const toml::node& element : array) {
      const Position at = begin_of(element.source());
      if (const auto* text = element.as_string()) {
        items.push_back({text->get(), at});
      } else {
        error(at, "an element of " + wrong_type_of_element(key, element));
        sound = false;
      }
    }
    if (static_cast<std::int64_t>(items.size()) > key.max) {
      error(entry.value_at,
            in_quotes(key.path) + " has too many elements: at most " + std::to_string(key.max));
      sound = false;
    }
    if (sound) entry.value = std::move(items);
  }

  std::string wrong_type_of_element(const Key& key, const toml::node& element) const {
    return in_quotes(key.path) + (key.type == Type::table_list ? " must be a table" : " must be a string") +
           ", found " + std::string(kind_of(element));
  }

  std::string_view file_name_;
  const Schema& schema_;
  Reading& reading_;
};

}  // namespace

Reading read_toml(std::string_view text, std::string_view file_name, const Schema& schema) {
  Reading reading;
  Reader reader(file_name, schema, reading);
  if (const auto fault = guard(text)) {
    reader.error(fault->where, "syntax error: " + fault->reason);
    return reading;
  }
  try {
    const toml::table table = toml::parse(text);
    reading.parsed = true;
    reader.read_table(table, "", reading.document);
  } catch (const toml::parse_error& failure) {
    // The parser quotes what it stumbled over, which in a file of secrets may be one.
    std::string message = "syntax error";
    if (!schema.secret) message += ": " + on_one_line(failure.description());
    reader.error(begin_of(failure.source()), std::move(message));
  }
  return reading;
}

}  // namespace tidemark::config
