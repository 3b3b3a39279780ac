#include "routing/explain.hpp"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/routing/cluster_builder.hpp"

namespace tidemark::routing {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr StatementContext kRead{.is_read = true};

Classification a_read() {
  return {.statement = StatementClass::read, .why = {}};
}

TEST(Explain, NamesTheStatementTheLevelAndTheDecision) {
  const ClusterView view = ClusterBuilder().primary(0x300).replica(0x300).build();
  SessionContext session;
  session.arrived = at_ms(0);
  const std::string text =
      explain(RoutingPolicy{}, view, session, kRead, a_read(), "session (routing.consistency)", at_ms(0));
  EXPECT_EQ(text,
            "statement: read\n"
            "level:     session (routing.consistency)\n"
            "decision:  send to 10.0.0.1:5432\n"
            "reason:    no_floor, no position is required, the user's own replica\n"
            "node:      10.0.0.0:5432 primary at 0/300 on timeline 1; the primary, not needed\n"
            "node:      10.0.0.1:5432 replica at 0/300 on timeline 1, 0 bytes and 0.0 ms behind; chosen: "
            "no_floor\n");
}

TEST(Explain, SaysWhyAStatementIsAWrite) {
  const ClusterView view = ClusterBuilder().primary(0x300).replica(0x300).build();
  const Classification locks{.statement = StatementClass::write, .why = "FOR UPDATE"};
  const std::string text =
      explain(RoutingPolicy{}, view, SessionContext{}, StatementContext{}, locks, "session", at_ms(0));
  EXPECT_THAT(text, HasSubstr("statement: write (FOR UPDATE)\n"));
  EXPECT_THAT(text, HasSubstr("send to 10.0.0.0:5432"));
  EXPECT_THAT(text, HasSubstr("chosen: write"));
}

TEST(Explain, SaysForEveryNodeWhatSpeaksAgainstIt) {
  const ClusterView view = ClusterBuilder()
                               .primary(0x300)
                               .replica(0x100)
                               .replica(0x300)
                               .with([](NodeState& node) { node.lag_time = std::chrono::seconds(12); })
                               .replica(0x900)
                               .with([](NodeState& node) { node.fault = NodeFault::other_cluster; })
                               .build();
  SessionContext session;
  session.arrived = at_ms(0);
  session.written = known(0x200);
  const std::string waiting =
      explain(RoutingPolicy{}, view, session, kRead, a_read(), "session (routing.consistency)", at_ms(0));
  EXPECT_THAT(waiting, HasSubstr("requires:  its own writes: 0/200 on timeline 1\n"));
  EXPECT_THAT(waiting, HasSubstr("decision:  wait for replay, asking 10.0.0.1:5432\n"));
  EXPECT_THAT(waiting, HasSubstr("eligible, but has not replayed the session's own writes"));
  EXPECT_THAT(waiting, HasSubstr("12.0 s behind; excluded: lag too large"));
  EXPECT_THAT(waiting, HasSubstr("excluded: other cluster"));
  const std::string late =
      explain(RoutingPolicy{}, view, session, kRead, a_read(), "session (routing.consistency)", at_ms(5));
  EXPECT_THAT(late, HasSubstr("send to 10.0.0.0:5432"));
  EXPECT_THAT(late, HasSubstr("fallback_replay"));
}

TEST(Explain, NamesWhatTheSessionHasSeen) {
  const ClusterView view = ClusterBuilder().primary(0x300).replica(0x300).build();
  SessionContext session;
  session.arrived = at_ms(0);
  session.seen = pending();
  session.shown = {LastReplica{NodeId{1}, 1, at_ms(0), at_ms(0)}};
  const std::string text =
      explain(RoutingPolicy{}, view, session, kRead, a_read(), "session (routing.consistency)", at_ms(0));
  EXPECT_THAT(text, HasSubstr("what it has seen, whose position is not learned yet"));
  EXPECT_THAT(text, HasSubstr("what 10.0.0.1:5432 has shown it"));
  session.level = ConsistencyLevel::eventual;
  EXPECT_THAT(
      explain(RoutingPolicy{}, view, session, kRead, a_read(), "session (routing.consistency)", at_ms(0)),
      Not(HasSubstr("requires:")));
}

TEST(Explain, SaysHowFreshAReplicaMustBe) {
  const ClusterView view = ClusterBuilder()
                               .primary(0x300)
                               .replica(0x300)
                               .with([](NodeState& node) { node.fresh_at = at_ms(-700); })
                               .replica(0x300)
                               .with([](NodeState& node) { node.fresh_at = at_ms(-100); })
                               .build();
  SessionContext session;
  session.level = ConsistencyLevel::bounded_staleness;
  session.max_staleness.time = std::chrono::milliseconds(500);
  session.arrived = at_ms(0);
  const std::string text = explain(RoutingPolicy{}, view, session, kRead, a_read(), "bounded", at_ms(0));
  EXPECT_THAT(text, HasSubstr("requires:  to be at most 500.0 ms behind\n"));
  EXPECT_THAT(text, HasSubstr("not known to be fresh enough"));
  EXPECT_THAT(text, HasSubstr("chosen: within_bound"));
}

TEST(Explain, NamesWhatAStrongReadRequires) {
  const ClusterView view = ClusterBuilder().primary(0x300).replica(0x200).build();
  SessionContext session;
  session.level = ConsistencyLevel::strong;
  session.strong = known(0x300);
  session.required = known(0x250);
  session.arrived = at_ms(0);
  const std::string text = explain(RoutingPolicy{}, view, session, kRead, a_read(), "strong", at_ms(0));
  EXPECT_THAT(text, HasSubstr("what a token says: 0/250 on timeline 1\n"));
  EXPECT_THAT(text, HasSubstr("what the primary had when the statement arrived: 0/300 on timeline 1\n"));
  EXPECT_THAT(text, HasSubstr("eligible, but has not replayed what a token says"));
}

TEST(Explain, StandsAnEmptyClusterAndUnknownNodes) {
  SessionContext session;
  session.shown = {LastReplica{NodeId{7}, 1, at_ms(0), at_ms(0)}};
  const std::string text = explain(RoutingPolicy{}, ClusterView{}, session, kRead, a_read(),
                                   "session (routing.consistency)", at_ms(0));
  EXPECT_THAT(text, HasSubstr("wait for a primary"));
  EXPECT_THAT(text, HasSubstr("what no node has shown it"));
}

}  // namespace
}  // namespace tidemark::routing
