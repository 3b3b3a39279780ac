#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/document.hpp"
#include "config/problem.hpp"

namespace tidemark::config {

/// `config` is set if and only if `problems` holds no error (warnings are allowed). Problems are sorted.
struct LoadResult {
  std::optional<Config> config;
  Document document;  ///< what the file itself says, and where
  std::vector<Problem> problems;
};

/// What came of opening a file.
struct FileText {
  std::optional<std::string> text;  ///< nullopt: could not be read, `error` says why
  std::string error;                ///< the system's words, such as "No such file or directory"
  bool others_may_read = false;     ///< the mode gives "others" the right to read
};

/// Where the files that a configuration names come from.
using FileSource = std::function<FileText(const std::filesystem::path&)>;

/// The disk. Only regular files of at most 16 MiB are read.
[[nodiscard]] FileText read_disk_file(const std::filesystem::path& path);

/// Reads the file and those that it names (users_file, monitor_password_file). Never throws for what a file
/// may hold or lack; every mistake of all files is reported at once.
[[nodiscard]] LoadResult load_file(const std::filesystem::path& path);

/// The same for text at hand. `file_name` is what problems are reported under; relative paths in it are
/// resolved against `base_dir`.
[[nodiscard]] LoadResult load_text(std::string_view text, std::string_view file_name,
                                   const std::filesystem::path& base_dir,
                                   const FileSource& files = read_disk_file);

}  // namespace tidemark::config
