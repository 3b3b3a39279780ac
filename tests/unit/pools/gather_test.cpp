#include "pools/gather.hpp"

#include <string>

#include <gtest/gtest.h>

#include "tests/unit/pools/socket_pair.hpp"

namespace tidemark::pools {
namespace {

class GatherTest : public testing::Test {
 protected:
  void add_own(Gather& out, std::string_view text) {
    const std::size_t from = out.own().size();
    out.own().append(text);
    out.add_own(from);
  }

  std::pair<Socket, Socket> ends_ = socket_pair();
  std::string own_;
};

TEST_F(GatherTest, SendsViewsAndOwnPiecesInOrder) {
  Gather out(ends_.first, own_);
  EXPECT_TRUE(out.empty());
  const std::string first = "first ";
  const std::string second = "second ";
  out.add(first);
  add_own(out, "own ");
  add_own(out, "more ");
  out.add(second);
  add_own(out, "last");
  EXPECT_FALSE(out.empty());
  EXPECT_TRUE(out.send());
  EXPECT_TRUE(out.empty());
  EXPECT_EQ(receive_all(ends_.second), "first own more second last");
}

TEST_F(GatherTest, OwnPiecesMayMoveWhileTheyGrow) {
  Gather out(ends_.first, own_);
  std::string expected;
  const std::string view = "|";
  for (int i = 0; i < 20; ++i) {
    const std::string text(static_cast<std::size_t>(i) * 7, static_cast<char>('a' + i));
    add_own(out, text);
    out.add(view);
    expected += text + view;
  }
  EXPECT_TRUE(out.send());
  EXPECT_EQ(receive_all(ends_.second), expected);
}

TEST_F(GatherTest, JoinsNeighbours) {
  Gather out(ends_.first, own_);
  const std::string bytes(4000, 'x');
  for (std::size_t i = 0; i < 200; ++i) out.add(std::string_view(bytes).substr(i, 1));
  EXPECT_EQ(receive_all(ends_.second), "") << "one piece: nothing leaves before send()";
  EXPECT_TRUE(out.send());
  EXPECT_EQ(receive_all(ends_.second), std::string(200, 'x'));
}

TEST_F(GatherTest, TakesMorePiecesThanOneCallCan) {
  Gather out(ends_.first, own_);
  std::string expected;
  const std::string bytes = "abcdefghijklmnopqrstuvwxyz";
  for (std::size_t i = 0; i < 500; ++i) {
    const auto piece = std::string_view(bytes).substr(i * 2 % 26, 1);
    out.add(piece);
    add_own(out, "-");
    expected += std::string(piece) + "-";
  }
  EXPECT_TRUE(out.send());
  std::string got;
  while (got.size() < expected.size()) {
    const std::string part = receive_all(ends_.second);
    ASSERT_FALSE(part.empty());
    got += part;
    ASSERT_TRUE(ends_.first.flush());
  }
  EXPECT_EQ(got, expected);
}

TEST_F(GatherTest, EmptyPiecesAreNone) {
  Gather out(ends_.first, own_);
  out.add("");
  out.add_own(out.own().size());
  EXPECT_TRUE(out.empty());
  EXPECT_TRUE(out.send());
}

TEST_F(GatherTest, DropSendsNothing) {
  Gather out(ends_.first, own_);
  out.add("lost");
  out.drop();
  EXPECT_TRUE(out.empty());
  EXPECT_TRUE(out.send());
  EXPECT_EQ(receive_all(ends_.second), "");
}

TEST_F(GatherTest, BeginsWithoutWhatAnotherLeft) {
  own_ = "left over";
  Gather out(ends_.first, own_);
  EXPECT_TRUE(out.own().empty());
}

TEST_F(GatherTest, TellsOfABrokenConnectionOnceAndForAll) {
  ends_.second.close();
  Gather out(ends_.first, own_);
  const std::string bytes = "abcdef";
  for (std::size_t i = 0; i < 200; ++i) {
    out.add(std::string_view(bytes).substr(i * 2 % 6, 1));
  }
  EXPECT_FALSE(out.send());
  out.add(bytes);
  EXPECT_FALSE(out.send());
}

TEST_F(GatherTest, WhatThePeerDoesNotTakeIsSentLaterInOrder) {
  std::string expected;
  const std::string bytes(3000, 'x');
  const std::string other(3000, 'y');
  for (int i = 0; i < 20; ++i) {
    Gather out(ends_.first, own_);
    out.add(bytes);
    add_own(out, std::to_string(i));
    out.add(other);
    ASSERT_TRUE(out.send());
    expected += bytes + std::to_string(i) + other;
  }
  ASSERT_TRUE(ends_.first.blocked());
  std::string got;
  while (got.size() < expected.size()) {
    const std::string part = receive_all(ends_.second);
    ASSERT_FALSE(part.empty());
    got += part;
    ASSERT_TRUE(ends_.first.flush());
  }
  EXPECT_EQ(got, expected);
  EXPECT_FALSE(ends_.first.blocked());
}

}  // namespace
}  // namespace tidemark::pools
