#include "protocol/error_response.hpp"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace tidemark::protocol {
namespace {

using namespace std::string_view_literals;

TEST(ErrorResponse, BuilderWritesTheManualsFieldsExactly) {
  std::string out;
  append_error_response(out, {"FATAL", Sqlstate{"28P01"}, "no", "d", "h"});
  EXPECT_EQ(out, "E\0\0\0\x24SFATAL\0VFATAL\0C28P01\0Mno\0Dd\0Hh\0\0"sv);
  out.clear();
  append_notice_response(out, {"NOTICE", Sqlstate{"00000"}, "hi", "", ""});
  EXPECT_EQ(out, "N\0\0\0\x20SNOTICE\0VNOTICE\0C00000\0Mhi\0\0"sv);
}

TEST(ErrorResponse, WhatTheBuilderWritesTheParserReads) {
  std::string out;
  append_error_response(out, {"ERROR", Sqlstate{"40001"}, "message", "detail", "hint", "Routine"});
  ErrorFields fields;
  ASSERT_EQ(parse_error_fields(std::string_view(out).substr(5), fields), Errc::ok);
  EXPECT_EQ(fields.severity, "ERROR");
  EXPECT_EQ(fields.code, Sqlstate{"40001"});
  EXPECT_EQ(fields.message, "message");
  EXPECT_EQ(fields.detail, "detail");
  EXPECT_EQ(fields.hint, "hint");
  EXPECT_EQ(fields.routine, "Routine");
}

TEST(ErrorResponse, PrefersTheSeverityThatIsNotLocalizedInEitherOrder) {
  ErrorFields fields;
  ASSERT_EQ(parse_error_fields("SFEHLER\0VERROR\0C42601\0Mx\0\0"sv, fields), Errc::ok);
  EXPECT_EQ(fields.severity, "ERROR");
  ASSERT_EQ(parse_error_fields("VERROR\0SFEHLER\0C42601\0Mx\0\0"sv, fields), Errc::ok);
  EXPECT_EQ(fields.severity, "ERROR");
  ASSERT_EQ(parse_error_fields("SFATAL\0C42601\0Mx\0\0"sv, fields), Errc::ok);
  EXPECT_EQ(fields.severity, "FATAL");
}

TEST(ErrorResponse, SkipsUnknownFields) {
  ErrorFields fields;
  ASSERT_EQ(parse_error_fields("zfuture\0SERROR\0C42601\0Mx\0L12\0\x01odd\0\0"sv, fields), Errc::ok);
  EXPECT_EQ(fields.message, "x");
}

TEST(ErrorResponse, RejectsEveryTruncationAndTrailingBytes) {
  const std::string_view body = "SERROR\0VERROR\0C42601\0Mx\0Dd\0\0"sv;
  ErrorFields fields;
  ASSERT_EQ(parse_error_fields(body, fields), Errc::ok);
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_TRUE(failed(parse_error_fields(body.substr(0, size), fields))) << size;
  }
  EXPECT_EQ(parse_error_fields(std::string(body) + '\0', fields), Errc::trailing_bytes);
}

TEST(ErrorResponse, RejectsABadOrMissingCode) {
  ErrorFields fields;
  EXPECT_EQ(parse_error_fields("SERROR\0C4260\0Mx\0\0"sv, fields), Errc::invalid_value);
  EXPECT_EQ(parse_error_fields("SERROR\0Mx\0\0"sv, fields), Errc::missing_field);
  EXPECT_EQ(parse_error_fields("\0"sv, fields), Errc::missing_field);
}

}  // namespace
}  // namespace tidemark::protocol
