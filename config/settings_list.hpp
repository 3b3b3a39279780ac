#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/document.hpp"

namespace tidemark::config {

/// One key as an operator reads it back.
struct SettingLine {
  std::string key;            ///< "pool.size"; in lists of tables numbered from 1: "routing.rule.1.name"
  std::string value;          ///< as in the file, without quotes; empty: none
  std::string default_value;  ///< likewise
  bool reloads = false;       ///< a reload applies a change of it
};

/// Every key of tidemark.toml, in the schema's order, with its value in `document` or its default; those of
/// lists of tables as often as they are there. The file of users is not part of it, so no secret is. Pure.
[[nodiscard]] std::vector<SettingLine> list_settings(const Document& document);

}  // namespace tidemark::config
