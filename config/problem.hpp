#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tidemark::config {

enum class Severity : std::uint8_t { error, warning };

/// A place in a file, both counted from 1 (columns in characters); 0: the file as a whole.
struct Position {
  std::uint32_t line = 0;
  std::uint32_t column = 0;

  friend bool operator==(const Position&, const Position&) = default;
  friend auto operator<=>(const Position&, const Position&) = default;
};

/// One thing that the operator should know about a file. `message` never holds a secret.
struct Problem {
  Severity severity = Severity::error;
  std::string file;  ///< as the operator named it
  Position where;
  std::string message;
};

/// "tidemark.toml:12:5: error: …", without line end; line and column are left out where they are 0.
[[nodiscard]] std::string to_string(const Problem& problem);

[[nodiscard]] bool has_errors(const std::vector<Problem>& problems);

/// By position within a file; the files stay in the order in which they first occur. Stable.
void sort_problems(std::vector<Problem>& problems);

}  // namespace tidemark::config
