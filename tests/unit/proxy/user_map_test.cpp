#include "proxy/user_map.hpp"

#include <string>

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

const std::vector<config::UserMapEntry> lines{
    {"staff", "Ada Lovelace", "ada"},       {"staff", "/^(.*)@example\\.com$", "\\1"},
    {"staff", "/^root-(.*)$", "admin_\\1"}, {"staff", "/ops", "postgres"},
    {"other", "Ada Lovelace", "postgres"},
};

TEST(UserMaps, LetTheCertificatesNameInWhoseLineIsThere) {
  const UserMaps maps(lines);
  struct Case {
    std::string map, system_user, user;
    bool allowed;
  };
  for (const Case& c : {
           Case{"staff", "Ada Lovelace", "ada", true},
           Case{"staff", "Ada Lovelace", "postgres", false},
           Case{"other", "Ada Lovelace", "postgres", true},
           Case{"staff", "ada lovelace", "ada", false},
           Case{"staff", "web@example.com", "web", true},
           Case{"staff", "web@example.com", "webb", false},
           Case{"staff", "web@example.community", "web", false},
           Case{"staff", "@example.com", "", true},
           Case{"staff", "root-db", "admin_db", true},
           Case{"staff", "root-db", "db", false},
           Case{"staff", "the ops team", "postgres",
                true},  // as in PostgreSQL, an expression is not anchored
           Case{"nobody", "Ada Lovelace", "ada", false},
           Case{"", "ada", "ada", true},
           Case{"", "ada", "Ada", false},
           Case{"", "", "", false},
           Case{"staff", "", "ada", false},
       }) {
    EXPECT_EQ(maps.allow(c.map, c.system_user, c.user), c.allowed)
        << c.map << '|' << c.system_user << '|' << c.user;
  }
}

TEST(UserMaps, ALongNameIsNotGivenToAnExpression) {
  const UserMaps maps(lines);
  EXPECT_FALSE(maps.allow("staff", std::string(1'000'000, 'a') + "@example.com", "a"));
}

TEST(UserMaps, AnExpressionSeesTheNameAsItIs) {
  const UserMaps maps(lines);
  EXPECT_FALSE(maps.allow("staff", "root-x\nroot-y", "admin_y")) << "a name of two lines is one name";
}

}  // namespace
}  // namespace tidemark::proxy
