#include "proxy/check_command.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>

namespace tidemark::proxy {
namespace {

/// A folder of its own, gone with the test.
class CheckCommand : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (std::filesystem::temp_directory_path() / "tidemark_check_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    path_ = folder_ / "tidemark.toml";
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  int check(const std::string& text) {
    std::ofstream(path_) << text;
    return run_check(path_, out_, err_);
  }

  std::filesystem::path folder_;
  std::filesystem::path path_;
  std::ostringstream out_;
  std::ostringstream err_;
};

TEST_F(CheckCommand, SaysThatAGoodFileIsGood) {
  EXPECT_EQ(check("cluster.nodes = [\"a:5432\"]\nauth.method = \"trust\"\n"), 0);
  EXPECT_EQ(out_.str(), path_.string() + ": OK\n");
  EXPECT_EQ(err_.str(), "");
}

TEST_F(CheckCommand, PrintsEveryMistakeInOrderAndFails) {
  EXPECT_EQ(
      check("workers.threads = 999\ncluster.nodes = [\"a:5432\"]\nauth.method = \"trust\"\npool.sise = 1\n"),
      2);
  EXPECT_EQ(out_.str(), "");
  EXPECT_EQ(err_.str(),
            path_.string() + ":1:19: error: \"workers.threads\" must be between 0 and 256, found 999\n" +
                path_.string() + ":4:6: error: unknown key \"pool.sise\"; did you mean \"pool.size\"?\n");
}

TEST_F(CheckCommand, AWarningIsNoFailure) {
  EXPECT_EQ(check("cluster.nodes = [\"a:5432\"]\nauth.method = \"trust\"\ncluster.failover_hold = \"1ms\"\n"),
            0);
  EXPECT_EQ(out_.str(), path_.string() + ": OK\n");
  EXPECT_THAT(err_.str(), ::testing::HasSubstr(":3:25: warning: "));
}

TEST_F(CheckCommand, AMissingFileIsAnError) {
  EXPECT_EQ(run_check(path_, out_, err_), 2);
  EXPECT_EQ(err_.str(), path_.string() + ": error: cannot read this file: No such file or directory\n");
}

}  // namespace
}  // namespace tidemark::proxy
