#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "config/load.hpp"

namespace tidemark::config {

/// Files of a test, by path.
using Files = std::map<std::string, FileText>;

inline FileSource source_of(Files files) {
  return [files = std::move(files)](const std::filesystem::path& path) {
    const auto found = files.find(path.string());
    return found != files.end() ? found->second : FileText{std::nullopt, "No such file or directory", false};
  };
}

inline FileText file_with(std::string text) {
  return {std::move(text), "", false};
}

/// Loads as t.toml of /etc/tidemark.
inline LoadResult load(std::string_view text, Files files = {}) {
  return load_text(text, "t.toml", "/etc/tidemark", source_of(std::move(files)));
}

/// The printed problems.
inline std::vector<std::string> lines_of(const LoadResult& result) {
  std::vector<std::string> lines;
  for (const Problem& problem : result.problems) lines.push_back(to_string(problem));
  return lines;
}

/// What a file needs at least, in three lines: tests append to it, their own text begins in line 4.
inline constexpr std::string_view minimum =
    "cluster.nodes = [\"a:5432\"]\n"
    "auth.method = \"trust\"\n"
    "\n";

/// The problems of `text` behind the minimum.
inline std::vector<std::string> problems_behind_minimum(std::string_view text) {
  return lines_of(load(std::string(minimum) + std::string(text)));
}

}  // namespace tidemark::config
