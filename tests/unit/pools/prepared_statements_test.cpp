#include "pools/prepared_statements.hpp"

#include <set>

#include <gtest/gtest.h>

namespace tidemark::pools {
namespace {

TEST(PreparedStatementsTest, NamesAreDistinctAndOurs) {
  EXPECT_EQ(server_statement_name(7), "tidemark_7");
  EXPECT_NE(server_statement_name(1), server_statement_name(StatementId{1} << 40 | 1));
}

TEST(PreparedStatementsTest, KnowsWhatWasAdded) {
  PreparedStatements prepared;
  EXPECT_FALSE(prepared.use(1));
  EXPECT_EQ(prepared.size(), 0U) << "asking adds nothing";
  EXPECT_FALSE(prepared.add(1, 10));
  EXPECT_TRUE(prepared.use(1));
  prepared.forget(1);
  EXPECT_FALSE(prepared.use(1));
  prepared.forget(1);
}

TEST(PreparedStatementsTest, KeepsWhatTheServerToldOfAStatement) {
  PreparedStatements prepared;
  prepared.describe(1, {.result = 5, .parameters = 6});
  EXPECT_EQ(prepared.find(1), nullptr);
  EXPECT_FALSE(prepared.add(1, 10));
  ASSERT_NE(prepared.use(1), nullptr);
  EXPECT_FALSE(prepared.use(1)->is_known());
  prepared.describe(1, {.result = 5, .parameters = 6});
  EXPECT_EQ(*prepared.use(1), (protocol::StatementShape{5, 6}));
  EXPECT_EQ(*prepared.find(1), (protocol::StatementShape{5, 6}));
  prepared.forget(1);
  EXPECT_EQ(prepared.find(1), nullptr);
  prepared.restore(1);
  ASSERT_NE(prepared.find(1), nullptr);
  EXPECT_FALSE(prepared.find(1)->is_known()) << "it may have been prepared anew";
}

TEST(PreparedStatementsTest, TheLeastRecentlyUsedGivesWay) {
  PreparedStatements prepared;
  for (StatementId id = 1; id <= 3; ++id) {
    prepared.begin_unit();
    EXPECT_FALSE(prepared.add(id, 3));
  }
  prepared.begin_unit();
  EXPECT_TRUE(prepared.use(1));
  prepared.begin_unit();
  EXPECT_EQ(prepared.add(4, 3), 2U);
  EXPECT_FALSE(prepared.use(2));
  EXPECT_TRUE(prepared.use(1));
  EXPECT_TRUE(prepared.use(3));
  EXPECT_TRUE(prepared.use(4));
  EXPECT_EQ(prepared.size(), 3U);
}

TEST(PreparedStatementsTest, WhatTheUnitNeedsIsNeverClosed) {
  PreparedStatements prepared;
  prepared.begin_unit();
  EXPECT_FALSE(prepared.add(1, 2));
  EXPECT_FALSE(prepared.add(2, 2));
  prepared.begin_unit();
  EXPECT_TRUE(prepared.use(1));
  EXPECT_EQ(prepared.add(3, 2), 2U);
  EXPECT_FALSE(prepared.add(4, 2)) << "1 and 3 are needed: above the limit rather than wrong";
  EXPECT_TRUE(prepared.use(1));
  EXPECT_TRUE(prepared.use(3));
  EXPECT_TRUE(prepared.use(4));
  prepared.begin_unit();
  EXPECT_EQ(prepared.add(5, 2), 1U) << "not needed any more";
}

TEST(PreparedStatementsTest, ManyUnitsOfOneStatementStayWithinTheLimit) {
  PreparedStatements prepared;
  std::set<StatementId> on_server;
  for (StatementId id = 1; id <= 1000; ++id) {
    prepared.begin_unit();
    const StatementId wanted = id * 7919 % 60;
    if (prepared.use(wanted)) {
      ASSERT_TRUE(on_server.contains(wanted));
      continue;
    }
    if (const auto closed = prepared.add(wanted, 20)) {
      ASSERT_EQ(on_server.erase(*closed), 1U) << "only what the server has is closed";
    }
    ASSERT_TRUE(on_server.insert(wanted).second) << "nothing is prepared twice";
    ASSERT_LE(on_server.size(), 20U);
    ASSERT_EQ(prepared.size(), on_server.size());
  }
}

TEST(PreparedStatementsTest, AServerThatForgotOneIsDistrustedUntilItHasForgottenAll) {
  PreparedStatements prepared;
  EXPECT_FALSE(prepared.add(1, 10));
  EXPECT_FALSE(prepared.distrusted());
  prepared.distrust();
  EXPECT_FALSE(prepared.use(1));
  EXPECT_TRUE(prepared.distrusted());
  prepared.clear();
  EXPECT_FALSE(prepared.distrusted());
}

}  // namespace
}  // namespace tidemark::pools
