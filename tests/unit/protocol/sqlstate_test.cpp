#include "protocol/sqlstate.hpp"

#include <string_view>

#include <gtest/gtest.h>

namespace tidemark::protocol {
namespace {

TEST(Sqlstate, LiteralsAreConstantsAndCompare) {
  static_assert(Sqlstate{"28P01"} == sqlstate::invalid_password);
  static_assert(Sqlstate{"28P01"} != Sqlstate{"28000"});
  static_assert(Sqlstate{}.text() == "00000");
  EXPECT_EQ(Sqlstate{"40001"}.code_class(), "40");
  EXPECT_LT(Sqlstate{"08P01"}, Sqlstate{"0A000"});
}

TEST(Sqlstate, ParsesFiveDigitsOrUpperCaseLettersOnly) {
  EXPECT_EQ(Sqlstate::parse("TM001"), Sqlstate{"TM001"});
  using namespace std::string_view_literals;
  for (const auto text : {""sv, "2800"sv, "280000"sv, "28p01"sv, "28 01"sv, "280\0001"sv,
                          "28\xc3\xa4"
                          "1"sv}) {
    EXPECT_FALSE(Sqlstate::parse(text)) << text;
  }
}

}  // namespace
}  // namespace tidemark::protocol
