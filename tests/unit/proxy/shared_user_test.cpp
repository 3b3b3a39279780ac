#include "proxy/shared_user.hpp"

#include <memory>

#include <gtest/gtest.h>

#include "tests/unit/routing/cluster_builder.hpp"

namespace tidemark::proxy {
namespace {

using routing::at_ms;
using routing::NodeId;
using Subject = SharedUser::Subject;

const Subject kWrite{};
const Subject kPrimary{"10.0.0.0:5432", NodeId{0}, 50};
const Subject kReplica{"10.0.0.1:5432", NodeId{1}, 70};

class SharedUserTest : public testing::Test {
 protected:
  /// Held, sent and acknowledged.
  std::uint64_t announce(const Subject& subject, std::uint64_t next = 1, int ms = 10) {
    const auto number = user_.hold(subject, next);
    user_.sent(number);
    user_.answered(number, life_, at_ms(ms));
    return number;
  }
  SharedUser::Work work(int stale_ms = 0) { return user_.work(marks_, log_, life_, at_ms(stale_ms)); }
  void answer(std::uint64_t lsn) { log_.answer(log_.begin_question(), routing::wal(lsn)); }

  std::unique_ptr<pools::PositionLog> owner_ = std::make_unique<pools::PositionLog>();
  pools::PositionLog& log_ = *owner_;
  UserMarks marks_;
  SharedUser user_;
  std::uint64_t life_ = 1;
};

TEST_F(SharedUserTest, OneFieldServesAllSessions) {
  const auto first = announce(kWrite, 1);
  EXPECT_EQ(user_.hold(kWrite, 2), first);
  EXPECT_NE(user_.hold(kReplica, 3), first);
}

TEST_F(SharedUserTest, AFieldIsThereOnceRedisHasSaidSo) {
  const auto number = user_.hold(kWrite, 1);
  EXPECT_FALSE(user_.is_there(number, life_, at_ms(0)));
  user_.sent(number);
  EXPECT_FALSE(user_.is_there(number, life_, at_ms(0)));
  user_.answered(number, 0, at_ms(10));
  EXPECT_FALSE(user_.is_there(number, life_, at_ms(0))) << "it failed";
  user_.answered(number, life_, at_ms(10));
  EXPECT_TRUE(user_.is_there(number, life_, at_ms(0)));
  EXPECT_FALSE(user_.is_there(number, life_, at_ms(10))) << "too long ago";
  EXPECT_FALSE(user_.is_there(number, life_ + 1, at_ms(0))) << "Redis may have forgotten it";
}

TEST_F(SharedUserTest, AWriteGoesWhenNobodyHoldsItAndItsPositionIsKnown) {
  const auto number = announce(kWrite);
  EXPECT_FALSE(work().publish);
  marks_.wrote(log_.asked(), {1}, at_ms(20));
  user_.release(number);
  auto doing = work();
  EXPECT_FALSE(doing.publish);
  EXPECT_TRUE(doing.needs_position);
  EXPECT_TRUE(doing.unfinished);
  answer(400);
  doing = work();
  ASSERT_EQ(doing.remove.size(), 1);
  EXPECT_EQ(doing.remove[0].number, number);
  EXPECT_EQ(doing.position.lsn.value, 400);
  EXPECT_FALSE(doing.unfinished);
  EXPECT_FALSE(work().publish) << "once";
}

TEST_F(SharedUserTest, AHeldFieldStaysWhateverIsKnown) {
  const auto number = announce(kWrite);
  marks_.wrote(log_.asked(), {1}, at_ms(20));
  answer(400);
  const auto doing = work();
  EXPECT_EQ(doing.position.lsn.value, 400);
  EXPECT_TRUE(doing.remove.empty());
  EXPECT_TRUE(user_.is_there(number, life_, at_ms(0)));
}

TEST_F(SharedUserTest, AFieldThatIsOnItsWayIsNotRemovedBeforeItIsThere) {
  const auto number = user_.hold(kWrite, 1);
  user_.sent(number);
  user_.release(number);
  EXPECT_TRUE(work().remove.empty());
  user_.answered(number, 0, at_ms(10));
  EXPECT_EQ(work().remove.size(), 1);
}

TEST_F(SharedUserTest, WhoStaysAtAReplicaHasNothingMoreToTell) {
  const auto number = announce(kReplica);
  marks_.saw_replica({NodeId{1}, 1, at_ms(20), at_ms(15)}, 0, {1});
  user_.release(number);
  const auto doing = work();
  EXPECT_FALSE(doing.publish);
  EXPECT_TRUE(doing.announce.empty());
  EXPECT_FALSE(doing.unfinished);
  EXPECT_EQ(user_.hold(kReplica, 2), number);
}

TEST_F(SharedUserTest, AReplicaGoesWhenWhatItShowedIsBounded) {
  const auto number = announce(kReplica);
  marks_.saw_replica({NodeId{1}, 1, at_ms(20), at_ms(15)}, 0, {1});
  user_.release(number);
  marks_.leave_replicas(log_.asked(), {1}, at_ms(30));
  EXPECT_TRUE(work().remove.empty()) << "not known yet";
  answer(500);
  const auto doing = work();
  EXPECT_EQ(doing.remove.size(), 1);
  EXPECT_EQ(doing.position.lsn.value, 500);
}

TEST_F(SharedUserTest, WhatThePrimaryShowedGoesWithItsPosition) {
  const auto number = announce(kPrimary);
  marks_.saw_primary(log_.asked(), {1}, at_ms(20));
  user_.release(number);
  EXPECT_TRUE(work().needs_position);
  answer(500);
  EXPECT_EQ(work().remove.size(), 1);
}

TEST_F(SharedUserTest, WhatRedisMayHaveForgottenIsToldAnew) {
  const auto number = announce(kWrite);
  EXPECT_TRUE(work().announce.empty());
  ++life_;
  auto doing = work();
  ASSERT_EQ(doing.announce.size(), 1);
  EXPECT_EQ(doing.announce[0].number, number);
  user_.sent(number);
  EXPECT_TRUE(work().announce.empty()) << "it is on its way";
  user_.answered(number, life_, at_ms(50));
  EXPECT_TRUE(work().announce.empty());
  EXPECT_EQ(work(60).announce.size(), 1) << "before it expires";
}

TEST_F(SharedUserTest, APositionTheOthersHaveToldIsNotToldBack) {
  user_.taken = {{1}, {400}};
  marks_.require(routing::wal(400), at_ms(10));
  EXPECT_FALSE(work().publish);
  marks_.require(routing::wal(401), at_ms(10));
  EXPECT_EQ(work().position.lsn.value, 401);
}

TEST_F(SharedUserTest, WhatCouldNotBeToldIsToldAgainAndNobodyReliesOnIt) {
  const auto number = announce(kWrite);
  marks_.wrote(log_.asked(), {1}, at_ms(20));
  user_.release(number);
  answer(400);
  auto doing = work();
  user_.not_published(doing.remove);
  EXPECT_NE(user_.hold(kWrite, 7), number);
  doing = work();
  EXPECT_EQ(doing.position.lsn.value, 400);
  ASSERT_EQ(doing.remove.size(), 1);
  EXPECT_EQ(doing.remove[0].number, number);
}

}  // namespace
}  // namespace tidemark::proxy
