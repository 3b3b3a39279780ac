#include <algorithm>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>

#include "config/schema.hpp"
#include "tests/unit/config/reference.hpp"

namespace tidemark::config {
namespace {

using ::testing::IsEmpty;
using ::testing::Not;

/// The headings and rows under "Every key" of README.md.
std::vector<std::string> lines_about_keys() {
  std::ifstream readme(std::filesystem::path(TIDEMARK_SOURCE_DIR) / "config" / "README.md");
  std::vector<std::string> lines;
  std::string line;
  while (std::getline(readme, line) && line != "## Every key") {
  }
  while (std::getline(readme, line)) {
    if (line.starts_with("### `[") || line.starts_with("| `")) lines.push_back(line);
  }
  return lines;
}

bool contains(const std::vector<std::string>& lines, const std::string& line) {
  return std::find(lines.begin(), lines.end(), line) != lines.end();
}

TEST(Readme, SaysOfEveryKeyWhatTheSchemaSays) {
  const auto lines = lines_about_keys();
  for (const std::string& line : reference_lines()) {
    EXPECT_TRUE(contains(lines, line)) << "config/README.md lacks: " << line;
  }
}

TEST(Readme, NamesNoKeyThatTheSchemaDoesNotHave) {
  const auto expected = reference_lines();
  const auto lines = lines_about_keys();
  EXPECT_THAT(lines, Not(IsEmpty()));
  for (const std::string& line : lines) {
    EXPECT_TRUE(contains(expected, line)) << "the schema does not say: " << line;
  }
}

TEST(Schema, IsSoundInItself) {
  for (const Schema* schema : {&main_schema(), &users_schema()}) {
    std::set<std::string_view> seen;
    for (const Key& key : schema->keys) {
      EXPECT_TRUE(seen.insert(key.path).second) << key.path;
      EXPECT_FALSE(key.meaning.empty()) << key.path;
      const std::string_view parent = parent_path(key.path);
      EXPECT_TRUE(parent.empty() || seen.contains(parent)) << key.path << " stands before its table";
      EXPECT_EQ(key.type == Type::choice, !key.choices.empty()) << key.path;
      const bool limited = key.type != Type::table && key.type != Type::table_list &&
                           key.type != Type::choice && key.type != Type::boolean;
      EXPECT_EQ(limited, key.max > 0) << key.path;
      EXPECT_LE(key.min, key.max) << key.path;
    }
  }
}

}  // namespace
}  // namespace tidemark::config
