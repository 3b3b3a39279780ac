#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <variant>

#include "config/document.hpp"
#include "config/schema.hpp"

namespace tidemark::config {

/// Why a value does not suit its key: the whole message of the problem.
struct Refusal {
  std::string message;
};

using Accepted = std::variant<Value, Refusal>;

/// A TOML string under `key`, which is of Type::string, choice, duration or size; other types refuse it. With
/// `secret` the message never repeats the text.
[[nodiscard]] Accepted accept_string(const Key& key, std::string_view text, bool secret);
/// A TOML integer.
[[nodiscard]] Accepted accept_integer(const Key& key, std::int64_t number);
/// A TOML boolean.
[[nodiscard]] Accepted accept_boolean(const Key& key, bool value);
/// The message for anything else; `found` is "an array", "a table", …
[[nodiscard]] std::string wrong_type(const Key& key, std::string_view found);

}  // namespace tidemark::config
