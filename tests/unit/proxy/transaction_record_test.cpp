#include "proxy/transaction_record.hpp"

#include <chrono>
#include <string>
#include <string_view>

#include <gtest/gtest.h>

#include "protocol/bytes.hpp"

namespace tidemark::proxy {
namespace {

using namespace std::chrono_literals;
using Outcome = TransactionRecord::Outcome;
using Phase = TransactionRecord::Phase;

std::string message(char type, std::string_view body) {
  std::string out;
  protocol::Writer(out).open(type).bytes(body).close();
  return out;
}

std::uint64_t digest(std::string_view bytes) {
  ReplyDigest made;
  made.add(bytes);
  return made.value();
}

TEST(ReplyDigest, DoesNotDependOnHowTheBytesAreCut) {
  const std::string reply =
      message('T', "columns") + message('D', "") + message('D', "row") + message('Z', "T");
  const auto whole = digest(reply);
  for (std::size_t first = 0; first <= reply.size(); ++first) {
    for (std::size_t second = first; second <= reply.size(); ++second) {
      ReplyDigest made;
      made.add(reply.substr(0, first));
      made.add(reply.substr(first, second - first));
      made.add(reply.substr(second));
      ASSERT_EQ(made.value(), whole) << first << ' ' << second;
    }
  }
}

TEST(ReplyDigest, TellsResultsApart) {
  EXPECT_NE(digest(message('D', "a")), digest(message('D', "b")));
  EXPECT_NE(digest(message('D', "a")), digest(message('C', "a")));
  EXPECT_NE(digest(message('D', "ab")), digest(message('D', "a") + message('D', "b")));
  EXPECT_NE(digest(message('D', "a") + message('D', "b")), digest(message('D', "b") + message('D', "a")));
}

TEST(ReplyDigest, LeavesOutWhatIsNoResult) {
  const std::string result = message('D', "a");
  for (const char type : {'N', 'A', 'S'})
    EXPECT_EQ(digest(message(type, "whatever") + result + message(type, "")), digest(result)) << type;
}

TEST(ReplyDigest, NoticesACopy) {
  for (const char type : {'G', 'H', 'W'}) {
    ReplyDigest made;
    made.add(message(type, "x"));
    EXPECT_TRUE(made.saw_copy());
  }
  ReplyDigest none;
  none.add(message('D', "GHW"));
  EXPECT_FALSE(none.saw_copy());
}

class TransactionRecordTest : public testing::Test {
 protected:
  void answer(std::string_view unit, std::string_view reply) {
    record_.begin_unit();
    EXPECT_TRUE(record_.take(reply));
    record_.add(unit, 1000);
  }
  Outcome again(std::string_view reply, bool open = true) {
    record_.begin_unit();
    EXPECT_FALSE(record_.take(reply)) << "the client has had it";
    return record_.end_replayed_unit(open);
  }

  TransactionRecord record_;
  TransactionRecord::TimePoint now_{1h};
};

TEST_F(TransactionRecordTest, GoesThroughItsUnitsInTheirOrder) {
  EXPECT_FALSE(record_.holds_transaction());
  record_.begin();
  EXPECT_FALSE(record_.holds_transaction()) << "nothing to execute again yet";
  answer("begin;", message('C', "BEGIN"));
  answer("insert;", message('C', "INSERT 0 1"));
  ASSERT_TRUE(record_.holds_transaction());
  record_.begin_replay(now_, true);
  EXPECT_EQ(record_.attempts(), 1U);
  EXPECT_EQ(record_.bytes(), "begin;insert;");
  EXPECT_EQ(record_.left(), 13U);
  EXPECT_EQ(again(message('C', "BEGIN")), Outcome::same);
  EXPECT_EQ(record_.left(), 7U);
  EXPECT_EQ(again(message('C', "INSERT 0 1")), Outcome::finished);
  EXPECT_EQ(record_.left(), 0U);
  EXPECT_EQ(record_.phase(), Phase::recording);
  answer("update;", message('C', "UPDATE 1"));
  record_.begin_replay(now_ + 1s, true);
  EXPECT_EQ(record_.attempts(), 2U);
  EXPECT_EQ(record_.bytes(), "begin;insert;update;") << "what came later is part of it";
  EXPECT_EQ(record_.first_lost(), now_);
}

TEST_F(TransactionRecordTest, AnotherResultIsNotTheSame) {
  record_.begin();
  answer("select;", message('D', "1"));
  record_.begin_replay(now_, true);
  EXPECT_EQ(again(message('D', "2")), Outcome::differs);
  record_.begin_replay(now_, true);
  EXPECT_EQ(again(message('D', "1"), false), Outcome::differs) << "it has failed, or ended";
}

TEST_F(TransactionRecordTest, CanBeginAgainInTheMiddle) {
  record_.begin();
  answer("a;", message('C', "a"));
  answer("b;", message('C', "b"));
  record_.begin_replay(now_, true);
  EXPECT_FALSE(record_.has_progressed());
  EXPECT_EQ(again(message('C', "a")), Outcome::same);
  EXPECT_TRUE(record_.has_progressed());
  record_.begin_replay(now_, true);
  EXPECT_FALSE(record_.has_progressed());
  EXPECT_EQ(record_.left(), 4U);
  EXPECT_EQ(again(message('C', "a")), Outcome::same);
  EXPECT_EQ(again(message('C', "b")), Outcome::finished);
}

TEST_F(TransactionRecordTest, AnAttemptThatDoesNotCountHasItsTimeAllTheSame) {
  record_.begin();
  answer("a;", message('C', "a"));
  record_.begin_replay(now_, false);
  record_.begin_replay(now_ + 1s, true);
  record_.begin_replay(now_ + 2s, false);
  EXPECT_EQ(record_.attempts(), 1U);
  EXPECT_EQ(record_.first_lost(), now_);
  record_.begin();
  EXPECT_EQ(record_.attempts(), 0U);
  EXPECT_EQ(record_.first_lost(), std::nullopt);
}

TEST_F(TransactionRecordTest, TooMuchIsForgottenAndSoIsACopy) {
  record_.begin();
  answer(std::string(900, 'x'), message('C', "a"));
  answer(std::string(101, 'x'), message('C', "a"));
  EXPECT_EQ(record_.phase(), Phase::none);
  record_.begin();
  answer("copy;", message('H', "x"));
  EXPECT_EQ(record_.phase(), Phase::none);
}

TEST_F(TransactionRecordTest, WhyItWasGivenUpIsKeptUntilTheNextOne) {
  record_.begin();
  answer("a;", message('C', "a"));
  record_.begin_replay(now_, true);
  record_.give_up(describe(Failure::replay_differs));
  EXPECT_FALSE(record_.holds_transaction());
  ASSERT_NE(record_.error(), nullptr);
  EXPECT_EQ(record_.error()->code, describe(Failure::replay_differs).code);
  EXPECT_TRUE(record_.take(message('E', "told"))) << "what comes now is for the client";
  record_.begin();
  EXPECT_EQ(record_.error(), nullptr);
}

}  // namespace
}  // namespace tidemark::proxy
