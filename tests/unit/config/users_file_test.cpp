#include "config/users_file.hpp"

#include <string>

#include <gmock/gmock.h>

namespace tidemark::config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

// The verifier of RFC 7677's example, user "user", password "pencil".
const std::string verifier =
    "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==$WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=:"
    "wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=";
const std::string md5_hash = "md5a3556571e93b0d20722ba62be61e8c2d";

std::string user(const std::string& name, const std::string& password) {
  return "[[user]]\nname = \"" + name + "\"\npassword = \"" + password + "\"\n";
}

std::vector<std::string> problems(const std::string& text, AuthMethod method = AuthMethod::scram_sha_256) {
  std::vector<std::string> lines;
  for (const Problem& problem : read_users(text, "u.toml", method).problems)
    lines.push_back(to_string(problem));
  return lines;
}

TEST(UsersFile, KeepsUsersInOrderWithTheirSecretsAsWritten) {
  const UsersResult result =
      read_users(user("app", "pencil") + user("web", verifier), "u.toml", AuthMethod::scram_sha_256);
  EXPECT_THAT(result.problems, IsEmpty());
  ASSERT_THAT(result.users, SizeIs(2));
  EXPECT_EQ(result.users[0].name, "app");
  EXPECT_EQ(result.users[0].password.reveal(), "pencil");
  EXPECT_EQ(result.users[1].name, "web");
  EXPECT_EQ(result.users[1].password.reveal(), verifier);
}

TEST(UsersFile, NamesAreUnique) {
  EXPECT_THAT(problems(user("app", "a") + user("app", "b")),
              ElementsAre("u.toml:5:8: error: user \"app\" is named twice, first in line 2"));
}

TEST(UsersFile, NameAndPasswordAreRequired) {
  EXPECT_THAT(problems("[[user]]\nname = \"app\"\n[[user]]\npassword = \"hunter2\"\n"),
              ElementsAre("u.toml:1:1: error: \"user.password\" is missing",
                          "u.toml:3:1: error: \"user.name\" is missing"));
  EXPECT_THAT(problems(user("app", "")),
              ElementsAre("u.toml:3:12: error: \"user.password\" must not be empty"));
}

TEST(UsersFile, WithoutUsersIsWarnedOf) {
  EXPECT_THAT(problems(""), ElementsAre(HasSubstr("u.toml: warning:")));
}

TEST(UsersFile, AnMd5HashDoesNotServeScram) {
  EXPECT_THAT(problems(user("app", md5_hash)),
              ElementsAre(HasSubstr("u.toml:3:12: warning: user \"app\" cannot log in")));
  EXPECT_THAT(problems(user("app", md5_hash), AuthMethod::trust), IsEmpty());
}

TEST(UsersFile, ATruncatedVerifierIsNeverTakenForAPassword) {
  constexpr std::size_t prefix = std::string_view("SCRAM-SHA-256$").size();
  for (std::size_t size = prefix; size < verifier.size(); ++size) {
    EXPECT_EQ(form_of(Secret(verifier.substr(0, size))), SecretForm::malformed) << size;
  }
  EXPECT_EQ(form_of(Secret(verifier)), SecretForm::scram_sha_256);
  EXPECT_EQ(form_of(Secret(verifier + "A")), SecretForm::malformed);
  EXPECT_THAT(problems(user("app", verifier.substr(0, 40))),
              ElementsAre(HasSubstr("u.toml:3:12: error: the password of user \"app\" begins like")));
}

TEST(UsersFile, TellsTheFormsApart) {
  EXPECT_EQ(form_of(Secret(md5_hash)), SecretForm::md5);
  EXPECT_EQ(form_of(Secret("md5 is old")), SecretForm::plain);
  EXPECT_EQ(form_of(Secret(md5_hash + "0")), SecretForm::plain);
  EXPECT_EQ(form_of(Secret("scram-sha-256$")), SecretForm::plain);
}

TEST(UsersFile, NoProblemEverShowsASecret) {
  for (const std::string& text : std::vector<std::string>{
           "\"app\" \"hunter2\"\n", "[[user]]\nname = \"app\"\npassword = hunter2\n",
           "[[user]]\nname = \"app\"\npassword = \"hunter2\n", "[[user]]\npassword = \"hunter2\\q\"\n",
           "[[user]]\npassword = [\"hunter2\"]\n", "[[user]]\npassword = { hunter = 2 }\n",
           "[user]\npassword = \"hunter2\"\n", "app = \"hunter2\"\n", "[[user]]\npasword = \"hunter2\"\n",
           user("app", "hunter2\\u0000"), user("app", "SCRAM-SHA-256$hunter2"), user("", "hunter2"),
           user("app", "hunter2") + user("app", "hunter2"), "[[user]]\npassword = 99999999999999999999\n",
           user("app", "hunter2" + std::string(2000, 'x')), "user = \"hunter2\"\n",
           "user = [\"hunter2\"]\n"}) {
    const auto lines = problems(text);
    EXPECT_THAT(lines, Not(IsEmpty())) << text;
    for (const std::string& line : lines) {
      EXPECT_THAT(line, Not(HasSubstr("hunter"))) << text;
      EXPECT_THAT(line, Not(HasSubstr("9999"))) << text;
    }
  }
}

}  // namespace
}  // namespace tidemark::config
