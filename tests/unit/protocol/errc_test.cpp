#include "protocol/errc.hpp"

#include <set>
#include <string_view>

#include <gtest/gtest.h>

namespace tidemark::protocol {
namespace {

TEST(Errc, OnlyOkIsNoFailure) {
  EXPECT_FALSE(failed(Errc::ok));
  EXPECT_TRUE(failed(Errc::truncated));
  EXPECT_TRUE(failed(Errc::unsupported_version));
}

TEST(Errc, EveryCodeHasATextOfItsOwn) {
  std::set<std::string_view> texts;
  for (int code = 0; code <= static_cast<int>(Errc::unsupported_version); ++code) {
    const std::string_view text = describe(static_cast<Errc>(code));
    EXPECT_NE(text, "unknown error") << code;
    EXPECT_TRUE(texts.insert(text).second) << text;
  }
  EXPECT_EQ(describe(static_cast<Errc>(200)), "unknown error");
}

}  // namespace
}  // namespace tidemark::protocol
