#include "tests/consistency/history_checker.hpp"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/consistency/history_script.hpp"

namespace tidemark::consistency {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

constexpr std::uint16_t primary = Script::primary;
constexpr std::uint16_t replica = Script::replica;

// One session that writes and reads back, another that reads the same key while it advances; two nodes
// answer.
Script good_history() {
  Script script;
  script.write(1, 7, 1).read(1, 7, 1).read(2, 7, 1, primary).write(1, 7, 2).read(2, 7, 2).read(1, 7, 2);
  return script;
}

TEST(HistoryChecker, AcceptsAHistoryThatKeepsEveryGuarantee) {
  const Verdict verdict = good_history().verdict({2, 1, 2, 0, 0});
  EXPECT_TRUE(verdict.holds());
  EXPECT_EQ(verdict.violations(), 0U);
  EXPECT_EQ(verdict.reads, 4U);
  EXPECT_EQ(verdict.writes, 2U);
  EXPECT_EQ(verdict.reads_after_own_write, 2U);
  EXPECT_EQ(verdict.reads_soon_after_own_write, 2U);
  EXPECT_EQ(verdict.repeated_reads, 2U);
  EXPECT_EQ(verdict.reads_of_advancing_key, 2U);
  EXPECT_EQ(verdict.reads_by_node.at(primary), 1U);
  EXPECT_EQ(verdict.reads_by_node.at(replica), 3U);
}

TEST(HistoryChecker, AnEmptyHistoryProvesNothing) {
  const Verdict verdict = judge({}, {{}, {}, 10, 50'000'000, 0});
  EXPECT_FALSE(verdict.holds());
  EXPECT_EQ(verdict.violations(), 0U);
  EXPECT_THAT(verdict.proves_nothing, Not(IsEmpty()));
}

TEST(HistoryChecker, WritesAloneProveNothing) {
  EXPECT_FALSE(Script().write(1, 1, 1).write(1, 1, 2).verdict().holds());
}

TEST(HistoryChecker, ReadsOfAConstantProveNothing) {
  Script script;
  for (int i = 0; i < 100; ++i) script.read(1, 1, 0, i % 2 == 0 ? primary : replica);
  const Verdict verdict = script.verdict({0, 1, 2, 0, 0});
  EXPECT_EQ(verdict.violations(), 0U);
  EXPECT_EQ(verdict.repeated_reads, 99U);
  EXPECT_EQ(verdict.reads_of_advancing_key, 0U);
  EXPECT_FALSE(verdict.holds());
}

TEST(HistoryChecker, OneNodeAloneProvesNothing) {
  Script script;
  script.write(1, 7, 1).read(1, 7, 1).read(2, 7, 1).write(1, 7, 2).read(2, 7, 2);
  EXPECT_TRUE(script.verdict({1, 1, 1, 0, 0}).holds());
  EXPECT_FALSE(script.verdict({1, 1, 2, 0, 0}).holds());
}

TEST(HistoryChecker, TooFewCheckedReadsProveNothing) {
  EXPECT_TRUE(good_history().verdict({2, 2, 2, 0, 0}).holds());
  EXPECT_THAT(good_history().verdict({3, 2, 2, 0, 0}).proves_nothing, SizeIs(1));
  EXPECT_THAT(good_history().verdict({2, 3, 2, 0, 0}).proves_nothing, SizeIs(1));
}

TEST(HistoryChecker, FindsAReadThatMissesTheSessionsOwnWrite) {
  const Verdict verdict = Script().write(1, 7, 1).write(1, 7, 2).read(1, 7, 1).verdict();
  EXPECT_EQ(verdict.count(ViolationKind::stale_read), 1U);
  EXPECT_EQ(verdict.violations(), 1U);
  EXPECT_FALSE(verdict.holds());
  ASSERT_THAT(verdict.first, SizeIs(1));
  EXPECT_EQ(verdict.first[0].required, 2);
  EXPECT_THAT(describe(verdict.first[0]),
              AllOf(HasSubstr("stale_read"), HasSubstr("session 1"), HasSubstr("key 7"),
                    HasSubstr("read 1 at node 5433"), HasSubstr("wrote 2 at node 5432")));
}

TEST(HistoryChecker, AnotherSessionMayMissTheWrite) {
  EXPECT_EQ(Script().write(1, 7, 1).read(2, 7, 0).verdict().violations(), 0U);
}

TEST(HistoryChecker, AReadThatStartedBeforeTheWriteEndedMayMissIt) {
  Script script;
  script.at(0, 10, OperationKind::write, 1, 7, 1).at(9, 20, OperationKind::read, 1, 7, 0, replica);
  EXPECT_EQ(script.verdict().violations(), 0U);
  script.at(10, 30, OperationKind::read, 1, 7, 0, replica);
  EXPECT_EQ(script.verdict().count(ViolationKind::stale_read), 1U);
}

TEST(HistoryChecker, FindsAStepBack) {
  const Verdict verdict = Script().write(1, 7, 1).read(2, 7, 1).read(2, 7, 0).read(2, 7, 1).verdict();
  EXPECT_EQ(verdict.count(ViolationKind::step_back), 1U);
  EXPECT_EQ(verdict.violations(), 1U);
  EXPECT_FALSE(verdict.holds());
}

TEST(HistoryChecker, TellsWhetherTheWriteThatWasSeenHadBeenAcknowledged) {
  const auto history = [](std::int64_t acknowledged, std::uint16_t node = primary) {
    Script script;
    script.at(0, acknowledged, OperationKind::write, 1, 7, 1)
        .at(10, 20, OperationKind::read, 2, 7, 1, replica);
    return script.at(30, 40, OperationKind::read, 2, 7, 0, node).verdict();
  };
  EXPECT_EQ(history(25).count(ViolationKind::step_back), 1U);
  EXPECT_EQ(history(25).before_acknowledgement, 0U);
  EXPECT_EQ(history(50).count(ViolationKind::step_back), 1U);
  EXPECT_EQ(history(50).before_acknowledgement, 1U);
  EXPECT_EQ(history(50, replica).before_acknowledgement, 0U)
      << "a replica does not take back what it has replayed";
  EXPECT_THAT(describe(history(50).first.at(0)),
              HasSubstr("not acknowledged yet: session 1 wrote 1 at node 5432"));
}

TEST(HistoryChecker, RemembersTheHighestVersionSeenNotTheLast) {
  const Verdict verdict =
      Script().write(1, 7, 1).write(1, 7, 2).read(2, 7, 2).read(2, 7, 0).read(2, 7, 1).verdict();
  EXPECT_EQ(verdict.count(ViolationKind::step_back), 2U);
}

TEST(HistoryChecker, OverlappingReadsOfOneSessionMayDiffer) {
  Script script;
  script.write(1, 7, 1);
  script.at(100, 200, OperationKind::read, 2, 7, 1, replica)
      .at(150, 160, OperationKind::read, 2, 7, 0, replica);
  EXPECT_EQ(script.verdict().violations(), 0U);
}

TEST(HistoryChecker, TheOrderInWhichOperationsWereRecordedDoesNotMatter) {
  Script script = good_history();
  script.read(1, 7, 1);
  std::reverse(script.history.operations.begin(), script.history.operations.end());
  const Verdict verdict = script.verdict({3, 2, 2, 0, 0});
  EXPECT_EQ(verdict.count(ViolationKind::stale_read), 1U);
  EXPECT_EQ(verdict.count(ViolationKind::step_back), 1U);
}

TEST(HistoryChecker, AnUnknownWriteMayShowOrNot) {
  const auto after = [](std::int64_t version) {
    return Script().write(1, 7, 1).add(OperationKind::unknown_write, 1, 7, 0).read(1, 7, version).verdict();
  };
  EXPECT_EQ(after(1).violations(), 0U);
  EXPECT_EQ(after(2).violations(), 0U);
  EXPECT_EQ(after(0).count(ViolationKind::stale_read), 1U);
  EXPECT_EQ(after(3).count(ViolationKind::impossible_version), 1U);
}

TEST(HistoryChecker, AFailedWriteMustNotShow) {
  const auto history = [](std::int64_t version) {
    return Script().write(1, 7, 1).add(OperationKind::failed_write, 1, 7, 0).read(1, 7, version).verdict();
  };
  EXPECT_EQ(history(1).violations(), 0U);
  EXPECT_EQ(history(2).count(ViolationKind::impossible_version), 1U);
}

TEST(HistoryChecker, AVersionFromTheFutureIsAnAnswerToAnotherQuestion) {
  Script script;
  script.at(0, 10, OperationKind::read, 2, 7, 1, replica).at(11, 12, OperationKind::write, 1, 7, 1);
  EXPECT_EQ(script.verdict().count(ViolationKind::impossible_version), 1U);
}

TEST(HistoryChecker, StartsFromTheInitialVersions) {
  Script script;
  script.history.initial[7] = 40;
  script.write(1, 7, 41).read(1, 7, 41);
  EXPECT_EQ(script.verdict().violations(), 0U);
  script.read(3, 7, 42);
  EXPECT_EQ(script.verdict().count(ViolationKind::impossible_version), 1U);
}

TEST(HistoryChecker, FindsAnEffectWithoutItsCause) {
  // Session 2 sees the question (key 7) and answers it (key 8); session 3 sees the answer, but not the
  // question.
  const Verdict verdict =
      Script().write(1, 7, 1).read(2, 7, 1).write(2, 8, 1).read(3, 8, 1).read(3, 7, 0).verdict();
  EXPECT_EQ(verdict.count(ViolationKind::effect_before_cause), 1U);
  EXPECT_EQ(verdict.violations(), 1U);
  EXPECT_EQ(verdict.reads_with_known_cause, 1U);
}

TEST(HistoryChecker, WithoutTheEffectNoCauseIsOwed) {
  EXPECT_EQ(
      Script().write(1, 7, 1).read(2, 7, 1).write(2, 8, 1).read(3, 8, 0).read(3, 7, 0).verdict().violations(),
      0U);
}

TEST(HistoryChecker, TwoAcknowledgedWritesOfOneVersionMeanThatOneIsLost) {
  const Verdict verdict = Script().write(1, 7, 1).write(2, 7, 1).read(2, 7, 1).verdict();
  EXPECT_EQ(verdict.count(ViolationKind::lost_write), 1U);
  EXPECT_EQ(verdict.first.at(0).operation.session, 1U);
}

TEST(HistoryChecker, AFinalVersionBelowAnAcknowledgedOneMeansALostWrite) {
  Script script;
  script.write(1, 7, 1).write(1, 7, 2).write(1, 8, 1);
  script.history.final = {{7, 1}, {8, 1}};
  EXPECT_EQ(script.verdict().count(ViolationKind::lost_write), 1U);
  script.history.final = {{7, 3}, {8, 1}};
  EXPECT_EQ(script.verdict().count(ViolationKind::lost_write), 0U);
}

TEST(HistoryChecker, ToldOfALossTheSessionStartsAnew) {
  const Verdict verdict = Script()
                              .write(1, 7, 1)
                              .write(1, 7, 2)
                              .read(1, 7, 2)
                              .add(OperationKind::lost_write_told, 1, 0, 0)
                              .read(1, 7, 1)
                              .verdict();
  EXPECT_EQ(verdict.violations(), 0U);
  EXPECT_EQ(verdict.lost_writes_told, 1U);
}

TEST(HistoryChecker, DescribesTheFirstViolationsOnly) {
  Script script;
  script.write(1, 7, 1);
  for (int i = 0; i < 50; ++i) script.read(1, 7, 0);
  const Verdict verdict = judge(script.history, {{}, {}, 3, 50'000'000, 0});
  EXPECT_EQ(verdict.count(ViolationKind::stale_read), 50U);
  ASSERT_THAT(verdict.first, SizeIs(3));
  EXPECT_LT(verdict.first[0].operation.start, verdict.first[2].operation.start);
  EXPECT_EQ(verdict.first[0].operation.start, 4);
}

}  // namespace
}  // namespace tidemark::consistency
