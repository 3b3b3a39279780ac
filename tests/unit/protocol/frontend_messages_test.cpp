#include "protocol/frontend_messages.hpp"

#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "protocol/frame.hpp"

namespace tidemark::protocol {
namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

/// Every proper prefix of `body`, and `body` with a byte behind it, is refused by `parse`.
template <typename Parse>
void expect_exact(Parse parse, std::string_view body) {
  EXPECT_TRUE(parse(body));
  for (std::size_t size = 0; size < body.size(); ++size) {
    EXPECT_FALSE(parse(body.substr(0, size))) << "cut to " << size;
  }
  EXPECT_FALSE(parse(std::string(body) + "x")) << "a byte too many";
}

TEST(FrontendMessagesTest, QueryIsOneText) {
  EXPECT_EQ(parse_query("select 1\0"sv), "select 1");
  EXPECT_EQ(parse_query("\0"sv), "");
  EXPECT_FALSE(parse_query("select 1\0select 2\0"sv));
  expect_exact(parse_query, "select 1\0"sv);
}

TEST(FrontendMessagesTest, ParseHasNameQueryAndTypes) {
  const auto body = "s1\0select $1\0\0\2\0\0\0\x17\0\0\0\0"sv;
  const auto view = parse_parse(body);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->statement, "s1");
  EXPECT_EQ(view->query, "select $1");
  EXPECT_EQ(view->definition, body.substr(3));
  expect_exact(parse_parse, body);
}

TEST(FrontendMessagesTest, ParseOfTheUnnamedStatementWithoutTypes) {
  const auto view = parse_parse("\0\0\0\0"sv);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->statement, "");
  EXPECT_EQ(view->query, "");
  EXPECT_EQ(view->definition, "\0\0\0"sv);
}

TEST(FrontendMessagesTest, ParseTakesAsManyTypesAsItsCountCanSay) {
  std::string body = "\0q\0\xff\xff"s;
  body.resize(body.size() + 4U * 0xffff);
  EXPECT_TRUE(parse_parse(body));
  body.pop_back();
  EXPECT_FALSE(parse_parse(body));
}

TEST(FrontendMessagesTest, BindNamesPortalAndStatement) {
  const auto view = parse_bind("p\0s1\0\0\0\0\0\0\0"sv);
  ASSERT_TRUE(view);
  EXPECT_EQ(view->portal, "p");
  EXPECT_EQ(view->statement, "s1");
  EXPECT_EQ(view->rest, "\0\0\0\0\0\0"sv);
  for (const auto cut : {""sv, "p"sv, "p\0"sv, "p\0s1"sv}) EXPECT_FALSE(parse_bind(cut)) << cut.size();
}

TEST(FrontendMessagesTest, TargetIsAStatementOrAPortal) {
  const auto statement = parse_target("Ss1\0"sv);
  ASSERT_TRUE(statement);
  EXPECT_EQ(statement->kind, 'S');
  EXPECT_EQ(statement->name, "s1");
  const auto portal = parse_target("P\0"sv);
  ASSERT_TRUE(portal);
  EXPECT_EQ(portal->kind, 'P');
  EXPECT_EQ(portal->name, "");
  expect_exact(parse_target, "Ss1\0"sv);
  for (int kind = 0; kind < 256; ++kind) {
    const std::string body{static_cast<char>(kind), 'x', '\0'};
    EXPECT_EQ(parse_target(body).has_value(), kind == 'S' || kind == 'P') << kind;
  }
}

TEST(FrontendMessagesTest, WritersGiveTheManualsBytes) {
  std::string out;
  append_query(out, "x");
  EXPECT_EQ(out, "Q\0\0\0\6x\0"s);
  out.clear();
  append_parse(out, "s", "q\0\0\0"sv);
  EXPECT_EQ(out, "P\0\0\0\12s\0q\0\0\0"s);
  out.clear();
  append_bind_head(out, "p", "s", 3);
  EXPECT_EQ(out, "B\0\0\0\13p\0s\0"s);
  out.clear();
  append_target(out, 'D', 'S', "s");
  EXPECT_EQ(out, "D\0\0\0\7Ss\0"s);
  EXPECT_EQ(kSync, "S\0\0\0\4"sv);
}

TEST(FrontendMessagesTest, WritersAppendAndWriteLongLengths) {
  std::string out = "before";
  const std::string sql(70'000, 'x');
  append_query(out, sql);
  const std::string_view message = std::string_view(out).substr(6);
  const Frame frame = peek_frame(message);
  EXPECT_EQ(frame.type, 'Q');
  EXPECT_EQ(frame.size, message.size());
  EXPECT_EQ(parse_query(message.substr(kFrameHeader)), sql);
}

TEST(FrontendMessagesTest, WhatIsWrittenIsReadBack) {
  std::string out;
  const auto definition = "select $1\0\0\1\0\0\0\x19"sv;
  append_parse(out, "tidemark_7", definition);
  const auto parse = parse_parse(std::string_view(out).substr(kFrameHeader));
  ASSERT_TRUE(parse);
  EXPECT_EQ(parse->statement, "tidemark_7");
  EXPECT_EQ(parse->definition, definition);

  out.clear();
  append_bind_head(out, "", "tidemark_7", 6);
  out.append("\0\0\0\0\0\0", 6);
  EXPECT_EQ(peek_frame(out).size, out.size());
  const auto bind = parse_bind(std::string_view(out).substr(kFrameHeader));
  ASSERT_TRUE(bind);
  EXPECT_EQ(bind->statement, "tidemark_7");
}

TEST(FrameTest, ReadsTypeAndSize) {
  const Frame frame = peek_frame("Q\0\0\1\2"sv);
  EXPECT_TRUE(frame.valid());
  EXPECT_EQ(frame.type, 'Q');
  EXPECT_EQ(frame.size, 0x102U + 1);
}

TEST(FrameTest, RefusesLengthsThatNoMessageHas) {
  for (const auto bytes :
       {"Q\0\0\0\0"sv, "Q\0\0\0\3"sv, "Q\x3f\xff\xff\xff"sv, "Q\x80\0\0\4"sv, "Q\xff\xff\xff\xff"sv}) {
    EXPECT_FALSE(peek_frame(bytes).valid());
    EXPECT_EQ(peek_frame(bytes).size, 0U);
  }
  EXPECT_TRUE(peek_frame("S\0\0\0\4"sv).valid());
  EXPECT_TRUE(peek_frame("Q\x3f\xff\xff\xfe"sv).valid());
}

}  // namespace
}  // namespace tidemark::protocol
