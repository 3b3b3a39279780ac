// When the view says that a timeline was handed over in order (README.md, rule 9).
#include <gtest/gtest.h>

#include "tests/unit/routing/reducer_fixture.hpp"

namespace tidemark::routing {
namespace {

class HandOverTest : public Reducer {
 protected:
  static constexpr std::uint64_t kEnd = 420;
  static constexpr std::uint64_t kShutdown = 300;

  /// B is seen as the primary of timeline 2, which left timeline 1 at kEnd.
  void promote_b(std::optional<Lsn> shutdown_at = Lsn{kShutdown}) {
    writable(kB, 1000, kEnd + 10,
             {.timeline = 2, .history = TimelineHistory({{{1}, {kEnd}, true}}), .shutdown_at = shutdown_at});
  }
  [[nodiscard]] bool covers(std::int64_t connected_ms, std::uint32_t timeline = 1) const {
    return view().was_handed_over({timeline}, at_ms(connected_ms));
  }
};

TEST_F(HandOverTest, AShutdownInOrderCoversTheConnectionsOfThatLife) {
  writable(kA, 0, 100);
  writable(kA, 200, 250);
  lose(kA, 400);
  EXPECT_FALSE(covers(100)) << "nobody has told of it";
  promote_b();
  EXPECT_TRUE(covers(100));
  EXPECT_TRUE(covers(200));
  EXPECT_FALSE(covers(201)) << "the server may have been another one already";
  EXPECT_FALSE(covers(100, 2));
}

TEST_F(HandOverTest, ACrashCoversNothing) {
  writable(kA, 0, 100);
  writable(kA, 200, 250);
  promote_b(std::nullopt);
  EXPECT_FALSE(covers(100));
}

TEST_F(HandOverTest, AShutdownBeforeTheLastLifeCoversNothing) {
  writable(kA, 0, 100, {.server_start = 1});
  lose(kA, 100);
  writable(kA, 200, kEnd,
           {.incarnation = 2, .server_start = 2});  // shut down and started, and then it crashed
  promote_b();
  EXPECT_FALSE(covers(50));
  EXPECT_FALSE(covers(200));
}

TEST_F(HandOverTest, AnotherConnectionToTheSameServerIsTheSameLife) {
  writable(kA, 0, 100, {.server_start = 1});
  lose(kA, 100);
  writable(kA, 200, 350, {.incarnation = 2, .server_start = 1});
  promote_b();
  EXPECT_TRUE(covers(150));
}

TEST_F(HandOverTest, OneOfTwoWhoReignedOnATimelineCoversNothing) {
  writable(kA, 0, 100);
  lose(kA, 100);
  writable(kC, 200, 250);
  promote_b();
  EXPECT_FALSE(covers(50)) << "the shutdown was C's, the connection may have been to A";
}

TEST_F(HandOverTest, AnEarlierHandOverCountsWhileItsEndIsOnTheWay) {
  writable(kA, 0, 100);
  promote_b();
  lose(kB, 1100);
  writable(kC, 1200, 600,
           {.timeline = 3, .history = TimelineHistory({{{1}, {kEnd}, true}, {{2}, {500}, true}})});
  EXPECT_TRUE(covers(0));
  EXPECT_FALSE(covers(1000, 2)) << "that one crashed";
}

TEST_F(HandOverTest, AnEarlierHandOverIsVoidIfItsEndIsNotOnTheWay) {
  writable(kA, 0, 100);
  promote_b();
  lose(kB, 1100);
  writable(kC, 1200, 600, {.timeline = 3, .history = TimelineHistory({{{1}, {kEnd - 8}, true}})});
  EXPECT_FALSE(covers(0));
}

}  // namespace
}  // namespace tidemark::routing
