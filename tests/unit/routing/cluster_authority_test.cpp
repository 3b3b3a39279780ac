#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/routing/reducer_fixture.hpp"

namespace tidemark::routing {
namespace {

constexpr NodeId kD{3};

/// Three nodes and an authority, which lists them.
class Authority : public Reducer {
 protected:
  explicit Authority(bool timeline_proves = false) {
    reducer_ = ClusterReducer(three_nodes(), {.has_authority = true, .timeline_proves = timeline_proves});
  }

  static Member member(const char* name) { return {name, "host", "10.0.0.9", 5432, 1}; }
  static std::vector<Member> all() { return {member("a:5432"), member("b:5432"), member("c:5432")}; }

  /// `primary` is an index into `members`.
  void word(std::int64_t ms, std::optional<std::size_t> primary, std::vector<Member> members = all()) {
    reducer_.apply(AuthorityWord{at_ms(ms), at_ms(ms + 1), std::move(members), primary});
  }
  void lose_authority(std::int64_t ms) { reducer_.apply(AuthorityLost{at_ms(ms)}); }
};

class AuthorityOrTimeline : public Authority {
 protected:
  AuthorityOrTimeline() : Authority(true) {}
};

TEST_F(Authority, BeforeItsFirstWordNobodyIsThePrimary) {
  writable(kA, 0, 100);
  standby(kB, 0, 100);
  EXPECT_EQ(view().primary, std::nullopt);
  EXPECT_EQ(node(kA).fault, NodeFault::not_named);
  EXPECT_EQ(node(kB).fault, NodeFault::none) << "reads go on";
  word(5, 0);
  EXPECT_EQ(view().primary, kA);
  EXPECT_EQ(node(kA).fault, NodeFault::none);
}

TEST_F(Authority, ANodeThatIsNamedWhileItRecoversIsThePrimaryWhenItHasRecovered) {
  writable(kA, 0, 100);
  standby(kB, 0, 100);
  word(1, 0);
  lose(kA, 2);
  word(3, 1);
  EXPECT_EQ(view().primary, std::nullopt);
  EXPECT_EQ(view().authority->named, kB);
  writable(kB, 4, 110, {.timeline = 2});
  EXPECT_EQ(view().primary, kB);
  EXPECT_EQ(view().timeline, TimelineId{2});
}

TEST_F(Authority, AnOldPrimaryIsFencedAsSoonAsAnotherIsNamed) {
  writable(kA, 0, 100);
  standby(kB, 0, 100);
  word(1, 0);
  const auto topology = view().topology;
  word(2, 1);
  EXPECT_EQ(view().primary, std::nullopt) << "the new one is not ready";
  EXPECT_EQ(node(kA).fault, NodeFault::not_named);
  EXPECT_GT(view().topology, topology);
  writable(kA, 3, 120);
  EXPECT_EQ(view().primary, std::nullopt);
}

TEST_F(Authority, OfTwoWritableNodesOnOneTimelineTheNamedOneIsThePrimary) {
  writable(kA, 0, 100);
  writable(kB, 0, 100);
  word(1, 1);
  EXPECT_EQ(view().primary, kB);
  EXPECT_EQ(node(kA).fault, NodeFault::not_named);
}

TEST_F(Authority, WhatIsNamedOnAnOlderTimelineThanAnAcceptedPrimarysIsNotWrittenTo) {
  word(0, 1);
  writable(kB, 1, 100, {.timeline = 2});
  EXPECT_EQ(view().primary, kB);
  writable(kA, 2, 100);
  word(3, 0);
  EXPECT_EQ(view().primary, std::nullopt);
  EXPECT_EQ(node(kA).fault, NodeFault::older_timeline);
  EXPECT_EQ(node(kB).fault, NodeFault::not_named);
}

TEST_F(Authority, AWordOlderThanAPromotionDoesNotDecideAndANewerOneDoes) {
  writable(kA, 0, 100);
  standby(kB, 0, 100);
  word(1, 0);
  writable(kB, 10, 110, {.timeline = 2});
  EXPECT_EQ(view().primary, std::nullopt) << "it may not have known";
  EXPECT_EQ(node(kA).fault, NodeFault::older_timeline);
  EXPECT_EQ(node(kB).fault, NodeFault::not_named);
  word(9, 0);
  EXPECT_EQ(view().primary, std::nullopt) << "asked before the promotion was seen";
  word(20, 0);
  EXPECT_EQ(view().primary, kA) << "it knows, and insists";
  EXPECT_EQ(node(kB).fault, NodeFault::not_named);
  word(30, 1);
  EXPECT_EQ(view().primary, kB);
}

TEST_F(Authority, AnAnswerThatWasOvertakenIsIgnored) {
  writable(kA, 0, 100);
  word(10, 0);
  word(5, 1);
  EXPECT_EQ(view().primary, kA);
}

TEST_F(Authority, WhileItCannotBeAskedItsWordStays) {
  writable(kA, 0, 100);
  standby(kB, 0, 100);
  word(1, 0);
  const auto topology = view().topology;
  lose_authority(5);
  EXPECT_FALSE(view().authority->reachable);
  EXPECT_EQ(view().authority->asked_at, at_ms(1));
  EXPECT_GT(view().topology, topology);
  EXPECT_EQ(view().primary, kA);
  writable(kB, 10, 110, {.timeline = 2});
  EXPECT_EQ(view().primary, std::nullopt) << "neither the deposed one nor one that nobody has named";
  word(20, 1);
  EXPECT_TRUE(view().authority->reachable);
  EXPECT_EQ(view().primary, kB);
}

TEST_F(AuthorityOrTimeline, WhileItCannotBeAskedAHigherTimelineProvesAPrimary) {
  writable(kA, 0, 100);
  standby(kB, 0, 100);
  word(1, 0);
  writable(kB, 10, 110, {.timeline = 2});
  EXPECT_EQ(view().primary, std::nullopt) << "it can be asked";
  lose_authority(11);
  EXPECT_EQ(view().primary, kB);
  EXPECT_EQ(node(kA).fault, NodeFault::older_timeline);
  writable(kA, 12, 110);
  EXPECT_EQ(view().primary, kB);
  writable(kC, 13, 110, {.timeline = 2});
  EXPECT_EQ(view().primary, std::nullopt) << "two of them prove nothing";
  standby(kC, 14, 110, {.timeline = 2});
  word(20, 1);
  EXPECT_EQ(view().primary, kB);
}

TEST_F(AuthorityOrTimeline, AtTheStartTheHighestTimelineProvesAPrimaryOnceItWasAskedInVain) {
  writable(kA, 0, 100);
  EXPECT_EQ(view().primary, std::nullopt) << "its first word is on its way";
  lose_authority(1);
  EXPECT_EQ(view().primary, kA);
}

TEST_F(AuthorityOrTimeline, AnotherClustersTimelineProvesNothing) {
  writable(kA, 0, 100);
  word(1, 0);
  lose_authority(2);
  writable(kB, 3, 900, {.timeline = 9, .system = kSystem + 1});
  EXPECT_EQ(view().primary, kA);
  EXPECT_EQ(node(kB).fault, NodeFault::other_cluster);
}

TEST_F(AuthorityOrTimeline, WhatTheAuthorityHasPassedOverIsNotProvenByItsSilence) {
  writable(kA, 0, 100);
  writable(kB, 0, 110, {.timeline = 2});
  word(5, 0);
  EXPECT_EQ(view().primary, kA);
  lose_authority(6);
  EXPECT_EQ(view().primary, kA);
}

TEST_F(Authority, TheNodeThatItNamesDecidesWhichClusterThisIs) {
  writable(kA, 0, 100, {.system = kSystem + 1});
  word(1, 1);
  EXPECT_EQ(view().primary, std::nullopt);
  writable(kB, 2, 100);
  EXPECT_EQ(view().primary, kB);
  EXPECT_EQ(node(kA).fault, NodeFault::other_cluster);
}

TEST_F(Authority, MembersThatJoinAreAppendedAndThoseThatLeaveKeepTheirId) {
  writable(kA, 0, 100);
  standby(kC, 0, 100);
  word(1, 0, {member("a:5432"), member("b:5432"), member("d:5432")});
  ASSERT_EQ(view().nodes.size(), 4U);
  EXPECT_EQ(node(kD).id, kD);
  EXPECT_EQ(node(kD).name, "d:5432");
  EXPECT_EQ(node(kD).host, "10.0.0.9");
  EXPECT_EQ(node(kD).fault, NodeFault::unreachable);
  EXPECT_EQ(node(kC).fault, NodeFault::removed);
  standby(kD, 2, 90);
  EXPECT_EQ(node(kD).fault, NodeFault::none);

  standby(kC, 3, 110);
  EXPECT_EQ(node(kC).fault, NodeFault::removed) << "a late answer does not bring it back";
  word(4, 0, {member("a:5432"), member("c:5432")});
  ASSERT_EQ(view().nodes.size(), 4U);
  EXPECT_EQ(node(kC).fault, NodeFault::unreachable) << "until it answers";
  standby(kC, 5, 110, {.incarnation = 2});
  EXPECT_EQ(node(kC).fault, NodeFault::none);
  EXPECT_EQ(node(kD).fault, NodeFault::removed);
}

TEST_F(Authority, ARemovedNodeIsNoPrimaryHoweverWritable) {
  writable(kA, 0, 100);
  word(1, 0);
  word(2, std::nullopt, {member("b:5432")});
  EXPECT_EQ(view().primary, std::nullopt);
  EXPECT_EQ(node(kA).fault, NodeFault::removed);
  writable(kA, 3, 200, {.timeline = 5});
  EXPECT_EQ(view().primary, std::nullopt);
}

TEST_F(Authority, NoMoreMembersAreTakenThanThereIsRoomFor) {
  std::vector<Member> many = all();
  for (std::size_t i = 0; i < ClusterView::kMostNodes; ++i) {
    Member more = member("");
    more.name = "m" + std::to_string(i) + ":5432";
    many.push_back(more);
  }
  word(1, 0, many);
  EXPECT_EQ(view().nodes.size(), ClusterView::kMostNodes);
  EXPECT_EQ(view().authority->left_out, 3U);
}

TEST_F(Reducer, WithoutAnAuthorityNoWordCounts) {
  writable(kA, 0, 100);
  const auto before = view().topology;
  reducer_.apply(AuthorityWord{at_ms(1), at_ms(2), {{"b:5432", "b", {}, 5432, 1}}, 0});
  reducer_.apply(AuthorityLost{at_ms(3)});
  EXPECT_EQ(view().primary, kA);
  EXPECT_EQ(view().nodes.size(), 3U);
  EXPECT_EQ(view().authority, std::nullopt);
  EXPECT_EQ(view().topology, before);
}

}  // namespace
}  // namespace tidemark::routing
