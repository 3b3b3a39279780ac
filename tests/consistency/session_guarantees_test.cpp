#include "tests/consistency/session_guarantees.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/consistency/history_script.hpp"

namespace tidemark::consistency {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr auto read = OperationKind::read;
constexpr auto write = OperationKind::write;
constexpr auto told = OperationKind::lost_write_told;
constexpr std::uint16_t replica = Script::replica;

TEST(SessionGuarantees, AUserReadsOnOneConnectionWhatItWroteOnAnother) {
  Script script;
  script.as(17).write(1, 7, 1);
  EXPECT_EQ(Script(script).read(2, 7, 1).verdict().violations(), 0U);
  const Verdict verdict = script.read(2, 7, 0).verdict();
  EXPECT_EQ(verdict.count(ViolationKind::stale_read), 1U);
  EXPECT_EQ(verdict.violations(), 1U);
  ASSERT_THAT(verdict.first, SizeIs(1));
  EXPECT_THAT(describe(verdict.first[0]), AllOf(HasSubstr("session 2 of user 17, key 7: read 0"),
                                                HasSubstr("session 1 of user 17 wrote 1")));
}

TEST(SessionGuarantees, WhatAUserHasReadOnOneConnectionDoesNotDisappearOnAnother) {
  Script script;
  script.write(5, 7, 1).as(17).read(1, 7, 1);
  EXPECT_EQ(Script(script).read(2, 7, 1).verdict().violations(), 0U);
  const Verdict verdict = script.read(2, 7, 0).verdict();
  EXPECT_EQ(verdict.count(ViolationKind::step_back), 1U);
  EXPECT_EQ(verdict.violations(), 1U);
}

TEST(SessionGuarantees, AnEffectSeenOnOneConnectionOwesItsCauseOnAnother) {
  // The author reads the question on one connection and answers on another; the reader does likewise.
  Script script;
  script.write(5, 7, 1).as(20).read(1, 7, 1).write(2, 8, 1).as(30).read(3, 8, 1);
  EXPECT_EQ(Script(script).read(4, 7, 1).verdict().violations(), 0U);
  const Verdict verdict = script.read(4, 7, 0).verdict();
  EXPECT_EQ(verdict.count(ViolationKind::effect_before_cause), 1U);
  EXPECT_EQ(verdict.violations(), 1U);
}

TEST(SessionGuarantees, AnotherUserIsOwedNothing) {
  EXPECT_EQ(Script().as(17).write(1, 7, 1).read(1, 7, 1).as(18).read(2, 7, 0).verdict().violations(), 0U);
}

TEST(SessionGuarantees, OneConnectionMayServeOneUserAfterTheOther) {
  Script script;
  script.as(17).write(1, 7, 1).as(18).read(1, 7, 0);
  EXPECT_EQ(script.verdict().violations(), 0U);
  EXPECT_EQ(script.as(17).read(1, 7, 0).verdict().count(ViolationKind::stale_read), 1U);
}

TEST(SessionGuarantees, OnlyWhatHadEndedOnAnyConnectionBinds) {
  Script script;
  script.as(17).at(0, 10, write, 1, 7, 1).at(9, 20, read, 2, 7, 0, replica);
  EXPECT_EQ(script.verdict().violations(), 0U);
  script.at(10, 12, read, 3, 7, 0, replica);
  EXPECT_EQ(script.verdict().count(ViolationKind::stale_read), 1U);
}

TEST(SessionGuarantees, ReadsOfAUserAtTheSameTimeBindOnlyWhatComesAfterThem) {
  Script script;
  script.write(5, 7, 1).as(17);
  script.at(100, 200, read, 1, 7, 1, replica).at(150, 160, read, 2, 7, 0, replica);
  EXPECT_EQ(script.verdict().violations(), 0U);
  script.at(199, 220, read, 2, 7, 0, replica);
  EXPECT_EQ(script.verdict().violations(), 0U) << "the first one had not ended";
  script.at(221, 230, read, 2, 7, 0, replica);
  EXPECT_EQ(script.verdict().count(ViolationKind::step_back), 1U);
}

TEST(SessionGuarantees, CountsReadsOfWhatWasWrittenOverAnotherConnection) {
  Script script;
  script.as(17).write(1, 7, 1).read(1, 7, 1).read(2, 7, 1).read(3, 7, 1);
  const Verdict verdict = script.verdict();
  EXPECT_EQ(verdict.reads_after_own_write, 3U);
  EXPECT_EQ(verdict.reads_after_own_write_elsewhere, 2U);
  EXPECT_TRUE(script.verdict({1, 0, 1, 2, 0}).holds());
  EXPECT_THAT(script.verdict({1, 0, 1, 3, 0}).proves_nothing, SizeIs(1));
}

TEST(SessionGuarantees, ToldOfALossOnOneConnectionTheUserStartsAnewOnAll) {
  Script script;
  script.as(17).write(1, 7, 1).write(1, 7, 2).read(2, 7, 2).as(18).read(5, 7, 2);
  EXPECT_EQ(Script(script).as(17).read(2, 7, 1).verdict().violations(), 2U) << "nobody was told";
  script.as(17).add(told, 1, 0, 0).read(2, 7, 1).read(3, 7, 1);
  EXPECT_EQ(script.verdict().violations(), 0U);
  EXPECT_EQ(script.verdict().lost_writes_told, 1U);
  EXPECT_EQ(script.as(18).read(5, 7, 1).verdict().count(ViolationKind::step_back), 1U) << "another user";
}

TEST(SessionGuarantees, AReadWhileTheUserIsBeingToldIsBoundByNothing) {
  Script script;
  script.as(17).at(0, 10, write, 1, 7, 1).at(20, 30, told, 1, 0, 0);
  EXPECT_EQ(Script(script).at(29, 40, read, 2, 7, 0).verdict().violations(), 0U);
  EXPECT_EQ(Script(script).at(11, 21, read, 2, 7, 0).verdict().violations(), 0U);
  EXPECT_EQ(Script(script).at(11, 20, read, 2, 7, 0).verdict().count(ViolationKind::stale_read), 1U);
}

TEST(SessionGuarantees, WhatStartedBeforeTheUserWasToldBindsNothingAfterwards) {
  Script script;
  script.at(0, 1, write, 5, 7, 1).as(17).at(20, 30, told, 1, 0, 0).at(29, 40, read, 2, 7, 1);
  script.at(41, 42, read, 2, 7, 0);
  EXPECT_EQ(script.verdict().violations(), 0U);
  script.at(43, 44, read, 2, 7, 1).at(45, 46, read, 1, 7, 0);
  EXPECT_EQ(script.verdict().count(ViolationKind::step_back), 1U) << "afterwards new floors are made";
}

TEST(SessionGuarantees, AnAnswerToAnotherQuestionBindsNothing) {
  const Verdict verdict = Script().write(1, 7, 1).read(2, 7, 9).read(2, 7, 1).verdict();
  EXPECT_EQ(verdict.count(ViolationKind::impossible_version), 1U);
  EXPECT_EQ(verdict.violations(), 1U);
}

TEST(SessionGuarantees, EachLevelForbidsItsOwn) {
  const auto forbidden = [](const char* name) {
    const Guarantee guarantee = parse_guarantee(name).value();
    std::string kinds;
    for (std::size_t i = 0; i < violation_kinds; ++i)
      if (forbids(guarantee, static_cast<ViolationKind>(i)))
        kinds += std::string(name_of(static_cast<ViolationKind>(i))) + " ";
    return kinds;
  };
  EXPECT_EQ(forbidden("eventual"), "impossible_version lost_write ");
  EXPECT_EQ(forbidden("read_your_writes"), "stale_read impossible_version lost_write ");
  EXPECT_EQ(forbidden("monotonic_reads"), "step_back effect_before_cause impossible_version lost_write ");
  EXPECT_EQ(forbidden("session"), "stale_read step_back effect_before_cause impossible_version lost_write ");
  EXPECT_EQ(forbidden("bounded_staleness=500ms"), "impossible_version lost_write over_bound ");
  EXPECT_EQ(forbidden("strong"),
            "stale_read step_back effect_before_cause impossible_version lost_write behind_acknowledged "
            "behind_read write_out_of_order ");
}

TEST(SessionGuarantees, AKindThatIsNotForbiddenIsCountedButNoViolation) {
  Script script;
  script.write(1, 7, 1).read(1, 7, 0);
  const Verdict verdict = script.verdict(parse_guarantee("monotonic_reads").value());
  EXPECT_EQ(verdict.count(ViolationKind::stale_read), 1U);
  EXPECT_EQ(verdict.violations(), 0U);
  EXPECT_THAT(verdict.first, SizeIs(0));
}

TEST(SessionGuarantees, NamesThatAreNoneAreRefused) {
  for (const char* name : {"", "Session", "session=1s", "bounded_staleness",
                           "bounded_staleness=", "bounded_staleness=5", "bounded_staleness=-1s", "strong "})
    EXPECT_FALSE(parse_guarantee(name)) << name;
  EXPECT_EQ(parse_guarantee("bounded_staleness=1.5s")->bound, 1'500'000'000);
  EXPECT_EQ(parse_guarantee("bounded_staleness=250us")->bound, 250'000);
}

}  // namespace
}  // namespace tidemark::consistency
