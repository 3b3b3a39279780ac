#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "config/schema.hpp"

namespace tidemark::config {

/// The key that whoever wrote the unknown `path` most likely meant: a misspelt neighbour in the same table,
/// else a key of the same name in another table, else the nearest whole path.
[[nodiscard]] std::optional<std::string_view> suggest_key(const Schema& schema, std::string_view path);

/// `; allowed: "a", "b"`, the choices that are supported, the nearest to `text` first.
[[nodiscard]] std::string list_choices(const Key& key, std::string_view text);

}  // namespace tidemark::config
