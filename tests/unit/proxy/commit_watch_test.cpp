#include "proxy/commit_watch.hpp"

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

using namespace std::string_view_literals;

class CommitWatchTest : public testing::Test {
 protected:
  void run(std::string_view sql, std::string_view tag, bool anew = true) {
    watch_.begin_unit(anew);
    watch_.note(routing::classify(sql, nullptr));
    watch_.completed(tag);
  }
  CommitWatch watch_;
};

TEST_F(CommitWatchTest, AStatementThatChangedRows) {
  EXPECT_FALSE(watch_.is_flushed());
  run("update t set a = 1", "UPDATE 1\0"sv);
  EXPECT_TRUE(watch_.is_flushed());
  EXPECT_TRUE(watch_.one_completed());
  run("update t set a = 1", "UPDATE 0\0"sv);
  EXPECT_FALSE(watch_.is_flushed()) << "there need not be a commit record";
}

TEST_F(CommitWatchTest, ATransactionThatChangedRowsAnywhere) {
  run("begin", "BEGIN\0"sv);
  run("update t set a = 1", "UPDATE 1\0"sv, false);
  run("select 1", "SELECT 1\0"sv, false);
  run("commit", "COMMIT\0"sv, false);
  EXPECT_TRUE(watch_.is_flushed());
  EXPECT_TRUE(watch_.one_completed());
  run("select 1", "SELECT 1\0"sv);
  EXPECT_FALSE(watch_.is_flushed()) << "the next one";
}

TEST_F(CommitWatchTest, WhatMayMakeTheCommitAsynchronousCountsToTheEndOfTheTransaction) {
  for (const auto sql : {"set local synchronous_commit = off", "set synchronous_commit = off",
                         "select set_config($1, $2, true)", "do $$ $$", "call p()", "execute p"}) {
    run("begin", "BEGIN\0"sv);
    run(sql, "SET\0"sv, false);
    run("update t set a = 1", "UPDATE 1\0"sv, false);
    run("commit", "COMMIT\0"sv, false);
    EXPECT_FALSE(watch_.is_flushed()) << sql;
    run("update t set a = 1", "UPDATE 1\0"sv);
    EXPECT_TRUE(watch_.is_flushed()) << "the next one";
  }
  watch_.begin_unit(true);
  watch_.doubt();
  watch_.completed("UPDATE 1\0"sv);
  EXPECT_FALSE(watch_.is_flushed());
}

TEST_F(CommitWatchTest, SeveralCompletionsOfOneUnit) {
  watch_.begin_unit(true);
  for (int i = 0; i < 1000; ++i) {
    EXPECT_EQ(watch_.one_completed(), i == 1);
    watch_.completed("UPDATE 1\0"sv);
  }
}

}  // namespace
}  // namespace tidemark::proxy
