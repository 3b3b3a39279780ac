#include "config/accept.hpp"

#include <chrono>
#include <cstddef>
#include <optional>
#include <utility>

#include "config/suggest.hpp"
#include "config/text.hpp"
#include "config/units.hpp"

namespace tidemark::config {
namespace {

std::string_view wanted(Type type) {
  switch (type) {
    case Type::table:
      return "a table";
    case Type::table_list:
      return "a list of tables";
    case Type::string:
    case Type::choice:
      return "a string";
    case Type::string_list:
      return "a list of strings";
    case Type::integer:
      return "an integer";
    case Type::boolean:
      return "true or false";
    case Type::duration:
      return "a duration with its unit, such as \"5ms\"";
    case Type::size:
      return "a size with its unit, such as \"64kB\"";
  }
  return "something else";
}

/// "… must be between 1 and 65535, found 0", with all three printed by `print`.
template <typename Print>
std::optional<Refusal> out_of_range(const Key& key, std::int64_t value, const Print& print) {
  if (value >= key.min && value <= key.max) return std::nullopt;
  return Refusal{in_quotes(key.path) + " must be between " + print(key.min) + " and " + print(key.max) +
                 ", found " + print(value)};
}

Accepted accept_text(const Key& key, std::string_view text) {
  if (text.empty() && key.min > 0) return Refusal{in_quotes(key.path) + " must not be empty"};
  if (static_cast<std::int64_t>(text.size()) > key.max) {
    return Refusal{in_quotes(key.path) + " is too long: at most " + std::to_string(key.max) + " bytes"};
  }
  if (has_control_characters(text)) {
    return Refusal{in_quotes(key.path) + " must not contain control characters"};
  }
  return Value{std::string(text)};
}

Accepted accept_choice(const Key& key, std::string_view text) {
  for (const Choice& choice : key.choices) {
    if (choice.text != text) continue;
    if (choice.supported) return Value{std::string(text)};
    if (!choice.why_not.empty()) {
      return Refusal{std::string(key.path) + " = " + in_quotes(text) +
                     " is not supported: " + std::string(choice.why_not)};
    }
    return Refusal{std::string(key.path) + " = " + in_quotes(text) + " is not supported by this version" +
                   list_choices(key, text)};
  }
  return Refusal{"unknown value " + in_quotes(text) + " for " + in_quotes(key.path) +
                 list_choices(key, text)};
}

Refusal bad_unit(const Key& key, std::string_view text, bool secret, const BadUnit& bad) {
  return Refusal{in_quotes(key.path) + " must be " + std::string(wanted(key.type)) +
                 (secret ? std::string{} : ", found " + in_quotes(text) + ": " + bad.reason)};
}

Accepted accept_duration(const Key& key, std::string_view text, bool secret) {
  const auto parsed = parse_duration(text);
  if (const auto* bad = std::get_if<BadUnit>(&parsed)) return bad_unit(key, text, secret, *bad);
  const auto duration = std::get<std::chrono::nanoseconds>(parsed);
  const auto print = [](std::int64_t count) {
    return in_quotes(print_duration(std::chrono::nanoseconds(count)));
  };
  if (auto refusal = out_of_range(key, duration.count(), print)) return *std::move(refusal);
  return Value{duration};
}

Accepted accept_size(const Key& key, std::string_view text, bool secret) {
  const auto parsed = parse_size(text);
  if (const auto* bad = std::get_if<BadUnit>(&parsed)) return bad_unit(key, text, secret, *bad);
  const std::int64_t size = std::get<std::int64_t>(parsed);
  const auto print = [](std::int64_t bytes) { return in_quotes(print_size(bytes)); };
  if (auto refusal = out_of_range(key, size, print)) return *std::move(refusal);
  return Value{size};
}

}  // namespace

std::string wrong_type(const Key& key, std::string_view found) {
  std::string text = in_quotes(key.path) + " must be " + std::string(wanted(key.type));
  if (key.type == Type::table_list) text += ", each under [[" + std::string(key.path) + "]]";
  return text + ", found " + std::string(found);
}

Accepted accept_string(const Key& key, std::string_view text, bool secret) {
  switch (key.type) {
    case Type::string:
      return accept_text(key, text);
    case Type::choice:
      return accept_choice(key, text);
    case Type::duration:
      return accept_duration(key, text, secret);
    case Type::size:
      return accept_size(key, text, secret);
    case Type::table:
    case Type::table_list:
    case Type::string_list:
    case Type::integer:
    case Type::boolean:
      break;
  }
  return Refusal{wrong_type(key, "a string")};
}

Accepted accept_integer(const Key& key, std::int64_t number) {
  if (key.type != Type::integer) return Refusal{wrong_type(key, "an integer")};
  const auto print = [](std::int64_t value) { return std::to_string(value); };
  if (auto refusal = out_of_range(key, number, print)) return *std::move(refusal);
  return Value{number};
}

Accepted accept_boolean(const Key& key, bool value) {
  if (key.type != Type::boolean) return Refusal{wrong_type(key, "a boolean")};
  return Value{value};
}

}  // namespace tidemark::config
