#include "proxy/client_statements.hpp"

#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

using namespace std::string_view_literals;

constexpr auto kOne = "select 1\0\0\0"sv;
constexpr auto kTwo = "select 22\0\0\0"sv;

class ClientStatementsTest : public ::testing::Test {
 protected:
  StatementCache::Reference refer(std::string_view definition) {
    return cache_.refer(definition, "shop", nullptr);
  }
  StatementCache cache_{0};
  ClientStatements statements_;
};

TEST_F(ClientStatementsTest, FindsWhatWasPutAndCountsItsBytes) {
  EXPECT_EQ(statements_.find("a"), nullptr);
  statements_.put("a", {refer(kOne)});
  ASSERT_NE(statements_.find("a"), nullptr);
  EXPECT_EQ(statements_.find("a")->text->query(), "select 1");
  EXPECT_EQ(statements_.size(), 1U);
  EXPECT_EQ(statements_.bytes(), 1 + kOne.size());
  statements_.put("a", {refer(kTwo)});
  EXPECT_EQ(statements_.size(), 1U);
  EXPECT_EQ(statements_.bytes(), 1 + kTwo.size());
  EXPECT_EQ(cache_.size(), 1U) << "nobody refers to the first text";
  EXPECT_TRUE(statements_.erase("a"));
  EXPECT_FALSE(statements_.erase("a"));
  EXPECT_EQ(statements_.bytes(), 0U);
  EXPECT_EQ(cache_.size(), 0U);
}

TEST_F(ClientStatementsTest, NamesAreCutOffAsAServerCutsThem) {
  const std::string longer(200, 'n');
  statements_.put(longer, {refer(kOne)});
  EXPECT_NE(statements_.find(longer), nullptr);
  EXPECT_NE(statements_.find(std::string(63, 'n')), nullptr);
  EXPECT_EQ(statements_.find(std::string(62, 'n')), nullptr);
  EXPECT_EQ(statements_.bytes(), 63 + kOne.size());
}

TEST_F(ClientStatementsTest, WhatIsTakenCanBePutBackWithWhatItsClientKnows) {
  statements_.put("a", {refer(kOne), {5, 6}});
  auto taken = statements_.take("a");
  ASSERT_TRUE(taken);
  EXPECT_EQ(statements_.bytes(), 0U);
  EXPECT_FALSE(statements_.take("a"));
  statements_.put("a", std::move(*taken));
  EXPECT_EQ(statements_.find("a")->told, (protocol::StatementShape{5, 6}));
  EXPECT_EQ(statements_.bytes(), 1 + kOne.size());
}

TEST_F(ClientStatementsTest, NamesAText) {
  statements_.put("a", {refer(kOne)});
  EXPECT_EQ(statements_.name_of(statements_.find("a")->text->id), "a");
  EXPECT_EQ(statements_.name_of(statements_.find("a")->text->id + 1), "");
}

TEST_F(ClientStatementsTest, ClearsAllOrAllButSome) {
  statements_.set_unnamed(kTwo);
  for (const auto* name : {"a", "b", "c"}) statements_.put(name, {refer(kOne)});
  statements_.clear_except([](std::string_view name) { return name == "b"; });
  EXPECT_EQ(statements_.find("a"), nullptr);
  EXPECT_NE(statements_.find("b"), nullptr);
  EXPECT_EQ(statements_.bytes(), 1 + kOne.size());
  statements_.clear();
  EXPECT_EQ(statements_.size(), 0U);
  EXPECT_EQ(statements_.bytes(), 0U);
  EXPECT_EQ(statements_.unnamed_query(), "select 22");
}

TEST_F(ClientStatementsTest, AnotherUnnamedStatementIsOneOfWhichNobodyWasTold) {
  EXPECT_TRUE(statements_.unnamed().empty());
  statements_.set_unnamed(kOne);
  const auto number = statements_.unnamed_number();
  statements_.unnamed_told() = {5, 6};
  statements_.set_unnamed(kOne);
  EXPECT_FALSE(statements_.unnamed_told().is_known());
  EXPECT_NE(statements_.unnamed_number(), number);
}

TEST_F(ClientStatementsTest, AnUnnamedStatementThatIsPutBackIsTheOneThatWasTaken) {
  statements_.set_unnamed(kTwo);
  statements_.unnamed_told() = {5, 6};
  const auto number = statements_.unnamed_number();
  auto taken = statements_.take_unnamed();
  EXPECT_TRUE(statements_.unnamed().empty());
  EXPECT_FALSE(statements_.unnamed_told().is_known());
  statements_.set_unnamed(kOne);
  EXPECT_NE(statements_.unnamed_number(), number);
  statements_.put_unnamed(std::move(taken));
  EXPECT_EQ(statements_.unnamed_query(), "select 22");
  EXPECT_TRUE(statements_.unnamed_told().is_known());
  EXPECT_EQ(statements_.unnamed_number(), number);
}

}  // namespace
}  // namespace tidemark::proxy
