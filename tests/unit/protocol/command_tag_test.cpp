#include "protocol/command_tag.hpp"

#include <gtest/gtest.h>

namespace tidemark::protocol {
namespace {

using namespace std::string_view_literals;

TEST(CommandTag, CountsOfChangedRows) {
  for (const auto body :
       {"INSERT 0 1\0"sv, "UPDATE 10\0"sv, "DELETE 2\0"sv, "MERGE 4294967296\0"sv, "UPDATE 1"sv})
    EXPECT_TRUE(tells_of_changed_rows(body)) << body;
}

TEST(CommandTag, NothingChanged) {
  for (const auto body : {"INSERT 0 0\0"sv, "UPDATE 0\0"sv, "DELETE 0\0"sv, "SELECT 5\0"sv, "COPY 7\0"sv,
                          "COMMIT\0"sv, "CREATE TABLE\0"sv, "UPDATE\0"sv, "UPDATE \0"sv, "UPDATE x\0"sv,
                          "UPDATE 1x\0"sv, "INSERT 16384 1\0"sv, "update 1\0"sv, ""sv, "\0"sv})
    EXPECT_FALSE(tells_of_changed_rows(body)) << body;
}

}  // namespace
}  // namespace tidemark::protocol
