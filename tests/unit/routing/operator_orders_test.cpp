// PAUSE and DRAIN in the view: what they change, and what does not change them.

#include "routing/decide.hpp"
#include "routing/eligibility.hpp"
#include "tests/unit/routing/reducer_fixture.hpp"

namespace tidemark::routing {
namespace {

using OperatorOrders = Reducer;

Decision write_in(const ClusterView& view) {
  return decide({}, view, {}, {}, at_ms(10));
}
Decision read_in(const ClusterView& view) {
  return decide({}, view, {}, {.is_read = true}, at_ms(10));
}

TEST_F(OperatorOrders, ChangeTheTopologyOnceEach) {
  writable(kA, 0, 100);
  const auto before = view().topology;
  reducer_.apply(Pause{true});
  EXPECT_TRUE(view().paused);
  EXPECT_EQ(view().topology, before + 1);
  reducer_.apply(Pause{true});
  EXPECT_EQ(view().topology, before + 1);
  reducer_.apply(Drain{kB, true});
  EXPECT_TRUE(node(kB).drained);
  EXPECT_EQ(view().topology, before + 2);
  reducer_.apply(Drain{kB, true});
  EXPECT_EQ(view().topology, before + 2);
  reducer_.apply(Pause{false});
  reducer_.apply(Drain{kB, false});
  EXPECT_FALSE(view().paused);
  EXPECT_FALSE(node(kB).drained);
  EXPECT_EQ(view().topology, before + 4);
}

TEST_F(OperatorOrders, OfAnUnknownNodeAreIgnored) {
  reducer_.apply(Drain{NodeId{9}, true});
  for (const auto& node : view().nodes) EXPECT_FALSE(node.drained);
}

TEST_F(OperatorOrders, PauseHoldsReadsAndWritesAlike) {
  writable(kA, 0, 100);
  standby(kB, 0, 100);
  EXPECT_EQ(read_in(view()).kind, Decision::Kind::send);
  reducer_.apply(Pause{true});
  for (const auto& decision : {write_in(view()), read_in(view())}) {
    EXPECT_EQ(decision.kind, Decision::Kind::wait_for_primary);
    EXPECT_EQ(decision.reason, Reason::paused);
  }
  EXPECT_FALSE(view().is_open(kA));
  reducer_.apply(Pause{false});
  EXPECT_EQ(write_in(view()).kind, Decision::Kind::send);
}

TEST_F(OperatorOrders, ADrainedPrimaryStaysThePrimaryAndGetsNoWrites) {
  writable(kA, 0, 100);
  standby(kB, 0, 100);
  reducer_.apply(Drain{kA, true});
  EXPECT_EQ(view().primary, kA);
  EXPECT_EQ(write_in(view()).reason, Reason::primary_drained);
  EXPECT_EQ(read_in(view()).node, kB);
}

TEST_F(OperatorOrders, WritesGoOnAtTheNextPrimary) {
  writable(kA, 0, 100);
  standby(kB, 0, 100);
  reducer_.apply(Drain{kA, true});
  lose(kA, 5);
  EXPECT_EQ(write_in(view()).reason, Reason::no_primary);
  writable(kB, 6, 110, {.timeline = 2});
  EXPECT_EQ(write_in(view()).kind, Decision::Kind::send);
  EXPECT_EQ(write_in(view()).node, kB);
}

TEST_F(OperatorOrders, ADrainedNodeStaysSoOverItsRestart) {
  writable(kA, 0, 100);
  standby(kB, 0, 100);
  reducer_.apply(Drain{kB, true});
  lose(kB, 1);
  standby(kB, 2, 100, {.incarnation = 2});
  EXPECT_EQ(node(kB).fault, NodeFault::none);
  EXPECT_EQ(exclusion({}, node(kB), at_ms(10)), Exclusion::drained);
  reducer_.apply(NodeResolved{kB, "10.0.0.9", 5432});
  EXPECT_TRUE(node(kB).drained);
  reducer_.apply(Drain{kB, false});
  standby(kB, 3, 100, {.incarnation = 3});
  EXPECT_EQ(exclusion({}, node(kB), at_ms(10)), Exclusion::none);
}

}  // namespace
}  // namespace tidemark::routing
