#include "proxy/sql_words.hpp"

#include <optional>
#include <string>

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

TEST(SqlWords, WhatEndsAllStatements) {
  for (const char* sql : {"deallocate all", "DEALLOCATE prepare ALL ;", "/* a */ discard all"})
    EXPECT_TRUE(ends_all_statements(sql)) << sql;
  for (const char* sql :
       {"deallocate s", "deallocate \"all\"", "discard plans", "deallocate all; select 1", ""})
    EXPECT_FALSE(ends_all_statements(sql)) << sql;
}

TEST(DeallocatedName, IsTheNameThatTheServerWouldLookFor) {
  EXPECT_EQ(deallocated_name("deallocate s"), "s");
  EXPECT_EQ(deallocated_name(" /* a */ DEALLOCATE Prepare S1 ; "), "s1");
  EXPECT_EQ(deallocated_name("deallocate \"S 1\""), "S 1");
  EXPECT_EQ(deallocated_name("deallocate \"all\""), "all");
}

TEST(DeallocatedName, IsNoneOfAnythingElse) {
  for (const char* sql : {"deallocate all", "deallocate prepare all", "DEALLOCATE", "deallocate s; select 1",
                          "deallocate s t", "select 1", "", "prepare s as select 1"}) {
    EXPECT_EQ(deallocated_name(sql), std::nullopt) << sql;
  }
}

}  // namespace
}  // namespace tidemark::proxy
