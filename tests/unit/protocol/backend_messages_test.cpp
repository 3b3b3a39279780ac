#include "protocol/backend_messages.hpp"

#include <optional>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace tidemark::protocol {
namespace {

using std::string_literals::operator""s;

TEST(DataRow, GivesValuesAndNulls) {
  const std::string body = "\0\3\0\0\0\2ab\xFF\xFF\xFF\xFF\0\0\0\0"s;
  const auto row = parse_data_row(body);
  ASSERT_TRUE(row);
  ASSERT_EQ(row->size(), 3U);
  EXPECT_EQ((*row)[0], "ab");
  EXPECT_EQ((*row)[1], std::nullopt);
  EXPECT_EQ((*row)[2], "");
  EXPECT_EQ(parse_data_row("\0\0"s)->size(), 0U);
}

TEST(DataRow, WhatIsMalformedIsNone) {
  const std::string whole = "\0\2\0\0\0\2ab\0\0\0\1c"s;
  ASSERT_TRUE(parse_data_row(whole));
  for (std::size_t size = 0; size < whole.size(); ++size)
    EXPECT_EQ(parse_data_row(std::string_view(whole).substr(0, size)), std::nullopt) << size;
  EXPECT_EQ(parse_data_row(whole + "x"), std::nullopt);
  EXPECT_EQ(parse_data_row("\0\1\x7F\xFF\xFF\xFFx"s), std::nullopt) << "longer than what is there";
  EXPECT_EQ(parse_data_row("\xFF\xFF"s), std::nullopt);
  EXPECT_EQ(parse_data_row("\x7F\xFF"s), std::nullopt);
}

}  // namespace
}  // namespace tidemark::protocol
