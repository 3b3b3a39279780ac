#include <gmock/gmock.h>

#include "config/units.hpp"
#include "tests/unit/config/loading.hpp"

namespace tidemark::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

TEST(UnixSocket, IsReadWithItsPermissions) {
  const LoadResult result = load(std::string(minimum) +
                                 "listen.unix_socket_dir = \"/run/tidemark\"\n"
                                 "listen.unix_socket_permissions = \"0770\"\n");
  ASSERT_TRUE(result.config);
  EXPECT_EQ(result.config->listen.unix_socket_dir, "/run/tidemark");
  EXPECT_EQ(result.config->listen.unix_socket_mode, 0770U);
  const LoadResult silent = load(minimum);
  EXPECT_TRUE(silent.config->listen.unix_socket_dir.empty());
  EXPECT_EQ(silent.config->listen.unix_socket_mode, 0777U);
}

TEST(UnixSocket, NeedsAFolderThatClientsCanName) {
  EXPECT_THAT(
      problems_behind_minimum("listen.unix_socket_dir = \"run\"\n"),
      ElementsAre(HasSubstr("t.toml:4:26: error: \"listen.unix_socket_dir\" must be an absolute path")));
  EXPECT_THAT(problems_behind_minimum("listen.unix_socket_dir = \"/" + std::string(100, 'x') + "\"\n"),
              ElementsAre(HasSubstr("is too long")));
}

TEST(UnixSocket, PermissionsAreOctal) {
  for (const std::string text : {"rwx", "0888", "07777", "+700", "0x1f"}) {
    EXPECT_THAT(problems_behind_minimum("listen.unix_socket_permissions = \"" + text + "\"\n"),
                ElementsAre(HasSubstr("listen.unix_socket_permissions")));
  }
  EXPECT_EQ(parse_permissions("0777"), 0777U);
  EXPECT_EQ(parse_permissions("700"), 0700U);
  EXPECT_EQ(parse_permissions("0000"), 0U);
  for (const char* text : {"", "7", "77", "1777", "0778", "-700", "07 7"})
    EXPECT_FALSE(parse_permissions(text)) << text;
}

}  // namespace
}  // namespace tidemark::config
