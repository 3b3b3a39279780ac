#include "protocol/auth_messages.hpp"

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::protocol {
namespace {

using namespace std::string_view_literals;

TEST(Authentication, BuildersWriteTheManualsBytes) {
  std::string out;
  append_authentication_ok(out);
  EXPECT_EQ(std::exchange(out, {}), "R\0\0\0\x08\0\0\0\0"sv);
  append_authentication_cleartext_password(out);
  EXPECT_EQ(std::exchange(out, {}), "R\0\0\0\x08\0\0\0\x03"sv);
  append_authentication_md5_password(out, "salt");
  EXPECT_EQ(std::exchange(out, {}), "R\0\0\0\x0c\0\0\0\x05salt"sv);
  append_authentication_sasl(out, {"A", "B"});
  EXPECT_EQ(std::exchange(out, {}),
            "R\0\0\0\x0d\0\0\0\x0a"
            "A\0B\0\0"sv);
  append_authentication_sasl_continue(out, "x");
  EXPECT_EQ(std::exchange(out, {}), "R\0\0\0\x09\0\0\0\x0bx"sv);
  append_authentication_sasl_final(out, "x");
  EXPECT_EQ(std::exchange(out, {}), "R\0\0\0\x09\0\0\0\x0cx"sv);
}

TEST(Authentication, ParserReadsEveryKind) {
  AuthenticationMessage message;
  ASSERT_EQ(parse_authentication("\0\0\0\0"sv, message), Errc::ok);
  EXPECT_EQ(message.code, AuthenticationCode::ok);
  ASSERT_EQ(parse_authentication("\0\0\0\x05salt"sv, message), Errc::ok);
  EXPECT_EQ(message.salt, "salt");
  ASSERT_EQ(parse_authentication("\0\0\0\x0a"
                                 "A\0B\0\0"sv,
                                 message),
            Errc::ok);
  EXPECT_EQ(message.mechanisms, (std::vector<std::string_view>{"A", "B"}));
  ASSERT_EQ(parse_authentication("\0\0\0\x0b"
                                 "data"sv,
                                 message),
            Errc::ok);
  EXPECT_EQ(message.data, "data");
  EXPECT_TRUE(message.mechanisms.empty());
}

TEST(Authentication, RejectsTruncatedOverlongAndUndefined) {
  AuthenticationMessage message;
  EXPECT_EQ(parse_authentication("\0\0\0"sv, message), Errc::truncated);
  EXPECT_EQ(parse_authentication("\0\0\0\0x"sv, message), Errc::trailing_bytes);
  EXPECT_EQ(parse_authentication("\0\0\0\x05sal"sv, message), Errc::truncated);
  EXPECT_EQ(parse_authentication("\0\0\0\x05salty"sv, message), Errc::trailing_bytes);
  EXPECT_EQ(parse_authentication("\0\0\0\x0a\0"sv, message), Errc::missing_field);
  EXPECT_EQ(parse_authentication("\0\0\0\x0aX\0"sv, message), Errc::unterminated_string);
  EXPECT_EQ(parse_authentication("\0\0\0\x63"sv, message), Errc::invalid_value);
}

TEST(SaslInitialResponse, WrittenAndReadAndCutAtEveryByte) {
  std::string out;
  append_sasl_initial_response(out, "SCRAM-SHA-256", "n,,n=,r=x");
  const std::string_view body = std::string_view(out).substr(5);
  SaslInitialResponse response;
  ASSERT_EQ(parse_sasl_initial_response(body, response), Errc::ok);
  EXPECT_EQ(response.mechanism, "SCRAM-SHA-256");
  EXPECT_EQ(response.data, "n,,n=,r=x");
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_TRUE(failed(parse_sasl_initial_response(body.substr(0, size), response))) << size;
  }
  EXPECT_EQ(parse_sasl_initial_response(std::string(body) + "x", response), Errc::trailing_bytes);
}

TEST(SaslInitialResponse, TellsNoDataFromEmptyDataAndRefusesOtherNegatives) {
  SaslInitialResponse response;
  ASSERT_EQ(parse_sasl_initial_response("M\0\xff\xff\xff\xff"sv, response), Errc::ok);
  EXPECT_FALSE(response.data);
  ASSERT_EQ(parse_sasl_initial_response("M\0\0\0\0\0"sv, response), Errc::ok);
  EXPECT_EQ(response.data, "");
  EXPECT_EQ(parse_sasl_initial_response("M\0\xff\xff\xff\xfe"sv, response), Errc::invalid_length);
}

TEST(PasswordMessage, WrittenAndRead) {
  std::string out;
  append_password_message(out, "md5x");
  EXPECT_EQ(out, "p\0\0\0\x09md5x\0"sv);
  std::string_view password;
  EXPECT_EQ(parse_password_message("md5x\0"sv, password), Errc::ok);
  EXPECT_EQ(password, "md5x");
  EXPECT_EQ(parse_password_message("md5x"sv, password), Errc::unterminated_string);
  EXPECT_EQ(parse_password_message("md5x\0y"sv, password), Errc::trailing_bytes);
  out.clear();
  append_sasl_response(out, "c=biws");
  EXPECT_EQ(out,
            "p\0\0\0\x0a"
            "c=biws"sv);
}

}  // namespace
}  // namespace tidemark::protocol
