#include "proxy/statement_cache.hpp"

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

using namespace std::string_view_literals;

constexpr auto kSelect = "select 1\0\0\0"sv;
constexpr auto kTyped = "select 1\0\0\1\0\0\0\x17"sv;

TEST(StatementCacheTest, SharesWhatIsTheSame) {
  StatementCache cache(0);
  const auto first = cache.refer(kSelect, "shop", nullptr);
  const auto second = cache.refer(kSelect, "shop", nullptr);
  EXPECT_EQ(first.get(), second.get());
  EXPECT_EQ(first->references, 2U);
  EXPECT_EQ(cache.size(), 1U);
  EXPECT_EQ(first->query(), "select 1");
  EXPECT_EQ(first->definition, kSelect);
  EXPECT_EQ(first->database, "shop");
}

TEST(StatementCacheTest, TellsTextTypesAndDatabaseApart) {
  StatementCache cache(0);
  const auto one = cache.refer(kSelect, "shop", nullptr);
  const auto typed = cache.refer(kTyped, "shop", nullptr);
  const auto elsewhere = cache.refer(kSelect, "other", nullptr);
  EXPECT_NE(one->id, typed->id);
  EXPECT_NE(one->id, elsewhere->id);
  EXPECT_NE(typed->id, elsewhere->id);
  EXPECT_EQ(cache.size(), 3U);
}

TEST(StatementCacheTest, TellsApartWhatIsPreparedUnderOtherSettings) {
  StatementCache cache(0);
  pools::SettingsTable settings;
  const auto utc = settings.intern({{{"timezone", "UTC"}}});
  const auto berlin = settings.intern({{{"timezone", "Europe/Berlin"}}});
  const auto one = cache.refer(kSelect, "shop", utc);
  const auto other = cache.refer(kSelect, "shop", berlin);
  const auto same = cache.refer(kSelect, "shop", settings.intern({{{"timezone", "UTC"}}}));
  EXPECT_NE(one->id, other->id);
  EXPECT_EQ(one.get(), same.get());
}

TEST(StatementCacheTest, ARenewedTextIsPreparedNowhere) {
  StatementCache cache(0);
  const auto one = cache.refer(kSelect, "shop", nullptr);
  const auto before = one->id;
  cache.renew(*one);
  EXPECT_NE(one->id, before);
  EXPECT_EQ(cache.refer(kSelect, "shop", nullptr)->id, one->id);
}

TEST(StatementCacheTest, ADatabasesNameCannotRunIntoTheText) {
  StatementCache cache(0);
  const auto one = cache.refer("b\0\0\0"sv, "a", nullptr);
  const auto other = cache.refer("\0\0\0"sv, "ab", nullptr);
  EXPECT_NE(one.get(), other.get());
}

TEST(StatementCacheTest, ForgetsWhatNobodyRefersTo) {
  StatementCache cache(0);
  pools::StatementId id = 0;
  {
    const auto first = cache.refer(kSelect, "shop", nullptr);
    id = first->id;
    {
      const auto second = cache.refer(kSelect, "shop", nullptr);
    }
    EXPECT_EQ(cache.size(), 1U);
  }
  EXPECT_EQ(cache.size(), 0U);
  EXPECT_NE(cache.refer(kSelect, "shop", nullptr)->id, id)
      << "an id names one text for ever: servers may still have the old one";
}

TEST(StatementCacheTest, MovingAReferenceKeepsTheCount) {
  StatementCache cache(0);
  auto first = cache.refer(kSelect, "shop", nullptr);
  StatementCache::Reference moved(std::move(first));
  EXPECT_EQ(first.get(), nullptr);  // NOLINT(bugprone-use-after-move): what is left is specified
  EXPECT_EQ(moved->references, 1U);
  auto other = cache.refer(kTyped, "shop", nullptr);
  other = std::move(moved);
  EXPECT_EQ(other->definition, kSelect);
  EXPECT_EQ(other->references, 1U);
  {
    const StatementCache::Reference end(std::move(moved));
  }
  EXPECT_EQ(cache.size(), 1U) << "only what is still referred to";
  StatementCache::Reference none;
  EXPECT_EQ(none.get(), nullptr);
}

TEST(StatementCacheTest, IdsOfTwoWorkersNeverMeet) {
  StatementCache first(0);
  StatementCache second(1);
  std::vector<StatementCache::Reference> kept;
  std::vector<pools::StatementId> ids;
  for (auto* cache : {&first, &second}) {
    for (int i = 0; i < 100; ++i) {
      kept.push_back(cache->refer("select " + std::to_string(i), "shop", nullptr));
      ids.push_back(kept.back()->id);
    }
  }
  std::sort(ids.begin(), ids.end());
  EXPECT_EQ(std::unique(ids.begin(), ids.end()), ids.end());
  EXPECT_NE(ids.front(), 0U);
}

TEST(StatementCacheTest, ATextWithoutItsEndIsAllQuery) {
  StatementCache cache(0);
  EXPECT_EQ(cache.refer("select 1", "shop", nullptr)->query(), "select 1");
}

}  // namespace
}  // namespace tidemark::proxy
