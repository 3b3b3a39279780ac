#include "proxy/loss_verdict.hpp"

#include <array>

#include <gtest/gtest.h>

namespace tidemark::proxy {
namespace {

using Kind = SessionUnit;
using enum LossVerdict;

constexpr std::array kKinds{Kind::read,   Kind::begin,    Kind::opens,         Kind::write,
                            Kind::commit, Kind::rollback, Kind::in_transaction};

/// One that was just sent for the first time, outside of a transaction, and of which nothing has come back.
LostUnit lost(Kind kind) {
  return {.kind = kind,
          .held = true,
          .may_restart = true,
          .may_try_again = true,
          .in_hold = true,
          .in_queue_time = true};
}

LostUnit lost_in_transaction(Kind kind) {
  LostUnit unit = lost(kind);
  unit.in_transaction = true;
  unit.may_restart = false;
  return unit;
}

bool is_sent_again(LossVerdict verdict) {
  return verdict == send_as_new || verdict == send_elsewhere || verdict == send_read_again ||
         verdict == send_again;
}

TEST(LossVerdict, AReadRunsElsewhereUntilItHasBeenTriedOften) {
  LostUnit unit = lost(Kind::read);
  EXPECT_EQ(judge_loss(unit), send_read_again);
  unit.may_try_again = false;
  EXPECT_EQ(judge_loss(unit), result_lost);
  unit.refused = true;
  EXPECT_EQ(judge_loss(unit), send_elsewhere);
}

TEST(LossVerdict, AReadWithHalfAnAnswerIsLost) {
  LostUnit unit = lost(Kind::read);
  unit.replied = true;
  EXPECT_EQ(judge_loss(unit), result_lost);
  unit.begins_read_only = true;
  EXPECT_EQ(judge_loss(unit), transaction_failed);
}

TEST(LossVerdict, WhatHasBeenAnsweredInPartOrIsNotHeldIsNeverSentAgain) {
  for (const Kind kind : kKinds) {
    for (const bool held : {true, false}) {
      LostUnit unit = lost(kind);
      unit.held = held;
      unit.replied = held;
      unit.rolled_back = unit.is_sole = unit.is_plain = true;
      EXPECT_FALSE(is_sent_again(judge_loss(unit))) << static_cast<int>(kind) << held;
      unit.not_begun = true;
      EXPECT_EQ(judge_loss(unit), transaction_lost);
    }
  }
}

TEST(LossVerdict, AWriteWithoutAWordIsInDoubt) {
  LostUnit unit = lost(Kind::write);
  unit.is_sole = unit.is_plain = true;
  EXPECT_EQ(judge_loss(unit), outcome_unknown);
  unit.end_can_be_asked = true;
  EXPECT_EQ(judge_loss(unit), outcome_unknown) << "that is asked of a COMMIT";
}

TEST(LossVerdict, AWriteThatTheServerSaysIsRolledBackGoesRoundAsLongAsWritesWait) {
  LostUnit unit = lost(Kind::write);
  unit.rolled_back = unit.is_sole = unit.is_plain = true;
  EXPECT_EQ(judge_loss(unit), send_again);
  unit.may_try_again = false;
  EXPECT_EQ(judge_loss(unit), send_again) << "each connection of a server's pool says so for itself";
  unit.in_hold = false;
  EXPECT_EQ(judge_loss(unit), rolled_back);
}

TEST(LossVerdict, WhatMayCommitByItselfIsInDoubtWhateverTheServerSays) {
  LostUnit unit = lost(Kind::write);
  unit.rolled_back = unit.is_sole = true;
  EXPECT_EQ(judge_loss(unit), outcome_unknown) << "CALL, DO";
  unit.kind = Kind::commit;
  EXPECT_EQ(judge_loss(unit), outcome_unknown) << "several statements";
}

TEST(LossVerdict, ACommitIsInDoubtUnlessTheServerOrTheNextPrimaryTells) {
  LostUnit unit = lost_in_transaction(Kind::commit);
  unit.is_sole = unit.is_commit = true;
  EXPECT_EQ(judge_loss(unit), outcome_unknown);
  unit.end_can_be_asked = true;
  EXPECT_EQ(judge_loss(unit), ask_outcome);
  unit.rolled_back = true;
  EXPECT_EQ(judge_loss(unit), rolled_back);
}

TEST(LossVerdict, AnEndThatIsCertainNeedsNoServer) {
  for (const Kind kind : {Kind::commit, Kind::write}) {
    LostUnit unit = lost_in_transaction(kind);
    unit.is_sole = unit.end_certain = true;
    EXPECT_EQ(judge_loss(unit), confirm_end);
    unit.replied = true;
    EXPECT_EQ(judge_loss(unit), outcome_unknown);
  }
}

TEST(LossVerdict, ARollbackHasWhatItWants) {
  LostUnit unit = lost_in_transaction(Kind::rollback);
  EXPECT_EQ(judge_loss(unit), end_transaction);
  unit.replied = true;
  EXPECT_EQ(judge_loss(unit), end_transaction);
  unit = lost(Kind::rollback);
  EXPECT_EQ(judge_loss(unit), transaction_lost);
  unit.is_sole = true;
  EXPECT_EQ(judge_loss(unit), send_again) << "it warns that there is no transaction";
}

TEST(LossVerdict, NothingHasBeenDoneInATransactionThatBegins) {
  LostUnit unit = lost(Kind::begin);
  EXPECT_EQ(judge_loss(unit), send_again);
  unit.may_try_again = false;
  EXPECT_EQ(judge_loss(unit), transaction_failed);
  unit.rolled_back = true;
  EXPECT_EQ(judge_loss(unit), send_again);
}

TEST(LossVerdict, AnOpenTransactionFails) {
  for (const Kind kind : {Kind::in_transaction, Kind::opens}) {
    LostUnit unit = lost_in_transaction(kind);
    EXPECT_EQ(judge_loss(unit), transaction_failed);
    unit.rolled_back = true;
    EXPECT_EQ(judge_loss(unit), transaction_failed);
  }
}

TEST(LossVerdict, WhatTheServerDidNotTakeUpIsAsNewAsLongAsOthersWait) {
  for (const Kind kind : kKinds) {
    LostUnit unit = lost(kind);
    unit.not_begun = true;
    unit.may_try_again = unit.in_hold = false;
    EXPECT_EQ(judge_loss(unit), send_as_new);
    unit.in_queue_time = false;
    EXPECT_EQ(judge_loss(unit), transaction_lost);
  }
}

TEST(LossVerdict, AResultThatHasChangedIsTold) {
  for (const Kind kind : kKinds) {
    LostUnit unit = lost(kind);
    unit.outdated = unit.not_begun = true;
    EXPECT_EQ(judge_loss(unit), result_changed);
  }
}

}  // namespace
}  // namespace tidemark::proxy
