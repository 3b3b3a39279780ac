#include "protocol/md5.hpp"

#include <gtest/gtest.h>

namespace tidemark::protocol {
namespace {

// Made by PostgreSQL 15: create role md5user password 'geheim' under password_encryption = 'md5'.
constexpr auto digits_of_postgres = "2c5f2685c8f3ed83183146b5b3586e9f";

TEST(Md5, MakesWhatPostgresStores) {
  EXPECT_EQ(md5_stored_digits("geheim", "md5user"), digits_of_postgres);
}

TEST(Md5, ResponseIsTheHashOfDigitsAndSalt) {
  // md5 of the digits followed by the bytes 01 02 03 04, made with the md5sum program.
  EXPECT_EQ(md5_response(digits_of_postgres, "\x01\x02\x03\x04"), "md58ebd4521d4b6d37828b2860c9ec20c5e");
}

}  // namespace
}  // namespace tidemark::protocol
