#include "protocol/startup_messages.hpp"

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "protocol/bytes.hpp"

namespace tidemark::protocol {
namespace {

using namespace std::string_view_literals;
using namespace std::string_literals;

std::string packet(std::uint32_t code, std::string_view body) {
  std::string out;
  Writer writer(out);
  writer.open_untyped().int32(static_cast<std::int32_t>(code)).bytes(body).close();
  return out;
}

StartupMessage startup(std::string_view body, std::uint32_t code = 0x30000) {
  FirstPacketResult result = parse_first_packet(packet(code, body));
  EXPECT_EQ(result.error, Errc::ok);
  return std::get<StartupMessage>(result.packet);
}

TEST(StartupMessage, ParsesParametersInOrder) {
  const StartupMessage message = startup("user\0app\0database\0shop\0application_name\0psql\0\0"sv);
  EXPECT_EQ(message.version, (ProtocolVersion{3, 0}));
  EXPECT_EQ(message.user(), "app");
  EXPECT_EQ(message.database(), "shop");
  EXPECT_EQ(message.parameters,
            (ParameterList{{"user", "app"}, {"database", "shop"}, {"application_name", "psql"}}));
}

TEST(StartupMessage, DatabaseDefaultsToTheUser) {
  EXPECT_EQ(startup("user\0app\0\0"sv).database(), "app");
  EXPECT_EQ(startup("user\0app\0database\0\0\0"sv).database(), "app");
  EXPECT_EQ(startup("\0"sv).user(), "");
}

TEST(StartupMessage, TheLastOfTwoValuesWins) {
  const StartupMessage message = startup("user\0a\0x\0y\0user\0b\0\0"sv);
  EXPECT_EQ(message.parameters, (ParameterList{{"user", "b"}, {"x", "y"}}));
}

TEST(StartupMessage, CollectsProtocolOptionsApart) {
  const StartupMessage message = startup("_pq_.b\0001\0user\0a\0_pq_.a\0\0_pq_.b\0002\0\0"sv, 0x30002);
  EXPECT_EQ(message.version, (ProtocolVersion{3, 2}));
  EXPECT_EQ(message.protocol_options, (std::vector<std::string>{"_pq_.b", "_pq_.a"}));
  EXPECT_EQ(message.parameters, (ParameterList{{"user", "a"}}));
}

TEST(StartupMessage, RejectsEveryTruncationOfTheBody) {
  const std::string_view body = "user\0app\0database\0shop\0\0"sv;
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_TRUE(failed(parse_first_packet(packet(0x30000, body.substr(0, size))).error)) << size;
  }
  EXPECT_EQ(parse_first_packet(packet(0x30000, std::string(body) + "x")).error, Errc::trailing_bytes);
}

TEST(StartupMessage, RejectsAWrongLengthFieldAndMoreThanTheLimit) {
  const std::string good = packet(0x30000, "user\0a\0\0"sv);
  for (std::size_t size = 0; size < good.size(); ++size) {
    EXPECT_TRUE(failed(parse_first_packet(std::string_view(good).substr(0, size)).error)) << size;
  }
  const std::string value(max_startup_packet_length, 'v');
  EXPECT_EQ(parse_first_packet(packet(0x30000, "user\0"s + value + "\0\0"s)).error, Errc::too_long);
  const std::string fits(max_startup_packet_length - 8 - 5 - 2, 'v');
  EXPECT_EQ(parse_first_packet(packet(0x30000, "user\0"s + fits + "\0\0"s)).error, Errc::ok);
}

TEST(StartupMessage, OtherMajorVersionsAreUnsupportedAndTold) {
  for (const std::uint32_t code : {0x20000U, 0x40000U, 0U, 0xffffffffU, 0x04d2162fU + 5U}) {
    const FirstPacketResult result = parse_first_packet(packet(code, "user\0a\0\0"sv));
    EXPECT_EQ(result.error, Errc::unsupported_version) << code;
    EXPECT_EQ(result.version.major_number, code >> 16U);
    EXPECT_EQ(result.version.minor_number, code & 0xffffU);
  }
}

TEST(EncryptionRequest, ParsesBothAndRejectsTrailingBytes) {
  EXPECT_TRUE(std::holds_alternative<SslRequest>(parse_first_packet(packet(80877103, {})).packet));
  EXPECT_TRUE(std::holds_alternative<GssEncRequest>(parse_first_packet(packet(80877104, {})).packet));
  EXPECT_EQ(parse_first_packet(packet(80877103, {})).error, Errc::ok);
  EXPECT_EQ(parse_first_packet(packet(80877104, {})).error, Errc::ok);
  EXPECT_EQ(parse_first_packet(packet(80877103, "x")).error, Errc::trailing_bytes);
  EXPECT_EQ(parse_first_packet(packet(80877104, "x")).error, Errc::trailing_bytes);
}

TEST(CancelRequest, KeysOf4To256BytesComeBack) {
  for (std::size_t size = 0; size <= 300; ++size) {
    std::string out;
    const CancelKey key{-7, std::string(size, '\xab')};
    append_cancel_request(out, key);
    const FirstPacketResult result = parse_first_packet(out);
    if (size < 4 || size > 256) {
      EXPECT_EQ(result.error, Errc::invalid_length) << size;
    } else {
      ASSERT_EQ(result.error, Errc::ok) << size;
      EXPECT_EQ(std::get<CancelKey>(result.packet), key);
    }
  }
  std::string exact;
  append_cancel_request(exact, {258, "\x01\x02\x03\x04"});
  EXPECT_EQ(exact, "\0\0\0\x10\x04\xd2\x16\x2e\0\0\x01\x02\x01\x02\x03\x04"sv);
}

TEST(BackendKeyData, WrittenAndRead) {
  std::string out;
  append_backend_key_data(out, {258, "keys"});
  EXPECT_EQ(out, "K\0\0\0\x0c\0\0\x01\x02keys"sv);
  CancelKey key;
  ASSERT_EQ(parse_backend_key_data(std::string_view(out).substr(5), key), Errc::ok);
  EXPECT_EQ(key, (CancelKey{258, "keys"}));
  for (std::size_t size = 0; size < 8; ++size) {
    EXPECT_TRUE(failed(parse_backend_key_data(std::string_view(out).substr(5, size), key))) << size;
  }
}

TEST(StartupMessageBuilder, WritesVersion30AndSkipsEmptyNames) {
  std::string out;
  append_startup_message(out, {{"user", "a"}, {"", "lost"}, {"x", ""}});
  EXPECT_EQ(out, "\0\0\0\x13\0\x03\0\0user\0a\0x\0\0\0"sv);
}

TEST(NegotiateProtocolVersion, CarriesTheWholeVersionNumber) {
  std::string out;
  append_negotiate_protocol_version(out, {3, 0}, {"_pq_.a"});
  EXPECT_EQ(out, "v\0\0\0\x13\0\x03\0\0\0\0\0\x01_pq_.a\0"sv);
}

TEST(CancelKeyLength, Is32BytesFrom32On) {
  EXPECT_EQ(cancel_key_length({3, 0}), 4U);
  EXPECT_EQ(cancel_key_length({3, 1}), 4U);
  EXPECT_EQ(cancel_key_length({3, 2}), 32U);
}

TEST(SslRequestBuilder, ExactBytes) {
  std::string out;
  append_ssl_request(out);
  EXPECT_EQ(out, "\0\0\0\x08\x04\xd2\x16\x2f"sv);
}

}  // namespace
}  // namespace tidemark::protocol
