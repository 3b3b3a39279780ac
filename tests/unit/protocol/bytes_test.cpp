#include "protocol/bytes.hpp"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

namespace tidemark::protocol {
namespace {

using namespace std::string_view_literals;

// One of every field, as a message would have them.
constexpr std::string_view every_field = "\x7f\xff\xfe\x80\x00\x00\x01text\0raw"sv;

Errc read_every_field(std::string_view bytes) {
  Reader reader(bytes);
  reader.byte();
  reader.int16();
  reader.int32();
  reader.cstring();
  reader.bytes(3);
  return reader.finish();
}

TEST(Reader, ReadsBigEndianFieldsInOrder) {
  Reader reader(every_field);
  EXPECT_EQ(reader.byte(), 0x7f);
  EXPECT_EQ(reader.int16(), -2);
  EXPECT_EQ(reader.int32(), -2147483647);
  EXPECT_EQ(reader.cstring(), "text");
  EXPECT_EQ(reader.remaining(), 3U);
  EXPECT_EQ(reader.bytes(3), "raw");
  EXPECT_EQ(reader.finish(), Errc::ok);
}

TEST(Reader, RejectsAMessageCutAtAnyByte) {
  ASSERT_EQ(read_every_field(every_field), Errc::ok);
  for (std::size_t size = 0; size < every_field.size(); ++size) {
    const Errc error = read_every_field(every_field.substr(0, size));
    EXPECT_TRUE(error == Errc::truncated || error == Errc::unterminated_string) << size;
  }
}

TEST(Reader, RejectsTrailingBytes) {
  EXPECT_EQ(read_every_field(std::string(every_field) + "x"), Errc::trailing_bytes);
}

TEST(Reader, KeepsTheFirstErrorAndReadsNothingAfterIt) {
  Reader reader("ab\0"sv);
  EXPECT_EQ(reader.int32(), 0);
  EXPECT_EQ(reader.cstring(), "");
  EXPECT_EQ(reader.rest(), "");
  EXPECT_EQ(reader.remaining(), 0U);
  reader.fail(Errc::invalid_value);
  EXPECT_EQ(reader.finish(), Errc::truncated);
}

TEST(Reader, AHugeCountIsAnErrorAndNoOverflow) {
  Reader reader("abc");
  EXPECT_EQ(reader.bytes(static_cast<std::size_t>(-1)), "");
  EXPECT_EQ(reader.error(), Errc::truncated);
}

TEST(Writer, PutsTheLengthWithoutTheTypeByteInItsPlace) {
  std::string out = "before";
  Writer writer(out);
  writer.open('Q').byte('b').int16(-2).int32(258).cstring("c").bytes("d"sv).close();
  EXPECT_EQ(out,
            "beforeQ\0\0\0\x0e"
            "b\xff\xfe\0\0\x01\x02"
            "c\0d"sv);
}

TEST(Writer, UntypedMessagesAndSeveralInARow) {
  std::string out;
  Writer writer(out);
  writer.open_untyped().int32(1).close();
  writer.open('S').close();
  EXPECT_EQ(out, "\0\0\0\x08\0\0\0\x01S\0\0\0\x04"sv);
}

TEST(Writer, AStringEndsAtAnEmbeddedZeroByte) {
  std::string out;
  Writer(out).cstring("ab\0cd"sv);
  EXPECT_EQ(out, "ab\0"sv);
}

}  // namespace
}  // namespace tidemark::protocol
