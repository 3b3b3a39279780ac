#include "protocol/unit.hpp"

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::protocol {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;
using End = Unit::End;

std::string message(char type, std::string_view body = {}) {
  const auto length = static_cast<std::uint32_t>(body.size() + 4);
  std::string out{type};
  for (const int shift : {24, 16, 8, 0}) out += static_cast<char>(length >> shift);
  return out.append(body);
}

std::string types_of(const Unit& unit) {
  std::string types;
  for (const auto& each : unit.messages) types += each.type;
  return types;
}

struct Case {
  std::string_view name;
  std::string bytes;
  End end;
  std::string_view types;
  std::size_t left;  ///< bytes behind the unit
};

std::vector<Case> cases() {
  const std::string parse = message('P', "\0select 1\0\0\0"sv);
  const std::string bind = message('B', "\0\0\0\0\0\0\0\0"sv);
  const std::string describe = message('D', "P\0"sv);
  const std::string execute = message('E', "\0\0\0\0\0"sv);
  const std::string sync = message('S');
  return {
      {"nothing", "", End::incomplete, "", 0},
      {"query", message('Q', "select 1\0"sv), End::query, "Q", 0},
      {"query and more", message('Q', "x\0"sv) + sync, End::query, "Q", 5},
      {"extended", parse + bind + describe + execute + sync, End::sync, "PBDES", 0},
      {"two pipelined units", bind + execute + sync + bind + sync, End::sync, "BES", bind.size() + 5},
      {"sync alone", sync, End::sync, "S", 0},
      {"flush", parse + message('H') + bind, End::flush, "PH", bind.size()},
      {"close", message('C', "Ss\0"sv) + sync, End::sync, "CS", 0},
      {"query inside a sequence", parse + message('Q', "x\0"sv), End::query, "PQ", 0},
      {"function call", message('F', "\0\0\0\1\0\0\0\0\0\0"sv), End::function_call, "F", 0},
      {"terminate", message('X') + "garbage", End::terminate, "X", 7},
      {"terminate inside a sequence", parse + message('X'), End::terminate, "PX", 0},
      {"stray CopyData", message('d', "row\n") + sync, End::stray_copy, "d", 5},
      {"stray CopyDone", message('c') + sync, End::stray_copy, "c", 5},
      {"stray CopyFail", message('f', "no\0"sv) + sync, End::stray_copy, "f", 5},
      {"no Sync yet", parse + bind, End::incomplete, "PB", 0},
      {"cut head", parse + "B\0\0\0"s, End::incomplete, "P", 4},
      {"cut body", parse + bind.substr(0, 6), End::incomplete, "P", 6},
      {"unknown type", parse + message('z'), End::invalid, "P", 5},
      {"password outside the login", message('p', "secret\0"sv), End::invalid, "", 12},
      {"length below four", parse + "B\0\0\0\3"s, End::invalid, "P", 5},
      {"length above the limit", "Q\x3f\xff\xff\xff"s, End::invalid, "", 5},
      {"negative length", "Q\xff\xff\xff\xff"s, End::invalid, "", 5},
  };
}

void expect_scanned(const Unit& unit, const Case& expected) {
  EXPECT_EQ(unit.end, expected.end);
  EXPECT_EQ(types_of(unit), expected.types);
  EXPECT_EQ(unit.size, expected.bytes.size() - expected.left);
  std::size_t offset = 0;
  for (const auto& each : unit.messages) {
    EXPECT_EQ(each.offset, offset);
    EXPECT_EQ(each.whole(expected.bytes).size(), each.size);
    EXPECT_EQ(each.body(expected.bytes), each.whole(expected.bytes).substr(5));
    offset += each.size;
  }
  EXPECT_EQ(offset, unit.size);
}

TEST(UnitTest, EndsWhereTheClientWaitsForAnAnswer) {
  for (const Case& each : cases()) {
    SCOPED_TRACE(each.name);
    Unit unit;
    EXPECT_EQ(unit.scan(each.bytes), each.end);
    expect_scanned(unit, each);
    EXPECT_EQ(unit.scan(each.bytes), each.end) << "once ended, it stays so";
    expect_scanned(unit, each);
  }
}

TEST(UnitTest, EverySplitOfTheBytesGivesTheSame) {
  for (const Case& each : cases()) {
    SCOPED_TRACE(each.name);
    for (std::size_t first = 0; first <= each.bytes.size(); ++first) {
      for (std::size_t second = first; second <= each.bytes.size(); ++second) {
        Unit unit;
        std::string_view bytes = each.bytes;
        (void)unit.scan(bytes.substr(0, first));
        (void)unit.scan(bytes.substr(0, second));
        (void)unit.scan(bytes);
        expect_scanned(unit, each);
      }
    }
    Unit unit;
    for (std::size_t size = 0; size <= each.bytes.size(); ++size) {
      // A copy: the buffer moves as it grows.
      (void)unit.scan(std::string(each.bytes.substr(0, size)));
    }
    expect_scanned(unit, each);
  }
}

TEST(UnitTest, AMessageTooLongForItsKindIsNone) {
  // PostgreSQL's limit counts the length field and the body (PQ_SMALL_MESSAGE_LIMIT).
  const std::string longest(9'996, 'x');
  for (const char type : "CDEHSX"sv) {
    Unit unit;
    EXPECT_NE(unit.scan(message(type, longest)), End::invalid) << type;
    unit.clear();
    EXPECT_EQ(unit.scan(message('P') + message(type, longest + 'x').substr(0, 5)), End::invalid) << type;
    EXPECT_EQ(types_of(unit), "P");
  }
  for (const char type : "QPBFdcf"sv) {
    Unit unit;
    EXPECT_NE(unit.scan(message(type, longest + 'x')), End::invalid) << type;
  }
}

TEST(UnitTest, IsCutBeforeAMessage) {
  const std::string bytes = message('P', "abc") + message('B') + message('E') + message('S');
  Unit unit;
  ASSERT_EQ(unit.scan(bytes), End::sync);
  unit.cut(4);
  EXPECT_EQ(unit.end, End::sync) << "there is no fifth one";
  unit.cut(1);
  EXPECT_EQ(unit.end, End::partial);
  EXPECT_EQ(types_of(unit), "P");
  EXPECT_EQ(unit.size, 8U);
  unit.clear();
  EXPECT_EQ(unit.scan(std::string_view(bytes).substr(8)), End::sync);
  EXPECT_EQ(types_of(unit), "BES");
}

TEST(UnitTest, KnowsEveryFrontendMessageAndNoOther) {
  for (int type = 0; type < 256; ++type) {
    Unit unit;
    const bool known = type != 0 && "QPBDECSHFXdcf"sv.find(static_cast<char>(type)) != std::string_view::npos;
    EXPECT_EQ(unit.scan(message(static_cast<char>(type))) != End::invalid, known) << type;
  }
}

TEST(UnitTest, AnUnknownTypeIsInvalidBeforeItsBodyComes) {
  Unit unit;
  EXPECT_EQ(unit.scan("z\0\1\0\0"sv), End::invalid);
}

TEST(UnitTest, NextHeadTellsOfAMessageThatIsNotAllThere) {
  const std::string parse = message('P', "\0select 1\0\0\0"sv);
  std::string bytes = parse + "B\0\1\0\0"s;
  Unit unit;
  ASSERT_EQ(unit.scan(bytes), End::incomplete);
  auto head = unit.next_head(bytes);
  EXPECT_EQ(head.type, 'B');
  EXPECT_EQ(head.offset, parse.size());
  EXPECT_EQ(head.size, 0x10001U);
  for (std::size_t size = parse.size(); size < bytes.size(); ++size) {
    head = unit.next_head(std::string_view(bytes).substr(0, size));
    EXPECT_EQ(head.size, 0U) << size;
  }
}

TEST(UnitTest, NextHeadOfAnImpossibleLengthHasNoSize) {
  EXPECT_EQ(Unit().next_head("B\0\0\0\3"sv).size, 0U);
}

TEST(UnitTest, ClearBeginsAnew) {
  Unit unit;
  ASSERT_EQ(unit.scan(message('X')), End::terminate);
  unit.clear();
  EXPECT_EQ(unit.end, End::incomplete);
  EXPECT_EQ(unit.size, 0U);
  EXPECT_EQ(unit.scan(message('Q', "x\0"sv)), End::query);
  EXPECT_EQ(types_of(unit), "Q");
}

TEST(UnitTest, RandomSequencesAreCutAtTheirSyncs) {
  std::mt19937 random(4711);
  for (int round = 0; round < 300; ++round) {
    std::string stream;
    std::vector<std::string> expected;
    std::string types;
    for (int i = 0; i < 30; ++i) {
      const char type = "PBDECSHQ"[random() % 8];
      stream += message(type, std::string(random() % 20, 'x'));
      types += type;
      if (type == 'S' || type == 'H' || type == 'Q') {
        expected.push_back(types);
        types.clear();
      }
    }
    std::vector<std::string> units;
    std::string buffer;
    Unit unit;
    for (std::size_t at = 0; at < stream.size();) {
      const std::size_t part = std::min<std::size_t>(1 + random() % 40, stream.size() - at);
      buffer.append(stream, at, part);
      at += part;
      while (unit.scan(buffer) != End::incomplete) {
        ASSERT_NE(unit.end, End::invalid);
        units.push_back(types_of(unit));
        buffer.erase(0, unit.size);
        unit.clear();
      }
    }
    ASSERT_EQ(units, expected);
  }
}

}  // namespace
}  // namespace tidemark::protocol
