#include "protocol/pipeline.hpp"

#include <array>
#include <optional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace tidemark::protocol {
namespace {

using Entry = Pipeline::Entry;
using Verdict = Pipeline::Verdict;
using Copy = Pipeline::Copy;

constexpr std::array kAllExpected{Expected::query,    Expected::parse,        Expected::bind,
                                  Expected::describe, Expected::execute,      Expected::close,
                                  Expected::sync,     Expected::function_call};

std::string_view name_of(Expected expected) {
  constexpr std::array<std::string_view, 8> names{"query",   "parse", "bind", "describe",
                                                  "execute", "close", "sync", "function_call"};
  return names[static_cast<std::size_t>(expected)];
}

enum class Effect { completes, stays, violates, skips };

/// What a message of `type` does to the entry that is due; PostgreSQL's manual, "Message Flow".
Effect effect_of(char type, Expected due) {
  const auto one_of = [&](std::initializer_list<Expected> set) {
    for (const Expected each : set) {
      if (each == due) return true;
    }
    return false;
  };
  constexpr auto query = Expected::query;
  constexpr auto execute = Expected::execute;
  switch (type) {
    case '1':
      return due == Expected::parse ? Effect::completes : Effect::violates;
    case '2':
      return due == Expected::bind ? Effect::completes : Effect::violates;
    case '3':
      return due == Expected::close ? Effect::completes : Effect::violates;
    case 'n':
      return due == Expected::describe ? Effect::completes : Effect::violates;
    case 't':
      return due == Expected::describe ? Effect::stays : Effect::violates;
    case 'T':
      return due == Expected::describe ? Effect::completes : due == query ? Effect::stays : Effect::violates;
    case 'D':
    case 'G':
    case 'H':
      return one_of({query, execute}) ? Effect::stays : Effect::violates;
    case 'C':
    case 'I':
      return due == execute ? Effect::completes : due == query ? Effect::stays : Effect::violates;
    case 's':
      return due == execute ? Effect::completes : Effect::violates;
    case 'V':
      return due == Expected::function_call ? Effect::stays : Effect::violates;
    case 'Z':
      return one_of({query, Expected::sync, Expected::function_call}) ? Effect::completes : Effect::violates;
    case 'E':
      return one_of({query, Expected::function_call, Expected::sync}) ? Effect::stays : Effect::skips;
    default:
      return Effect::violates;
  }
}

TEST(PipelineTest, EveryTypeMeetsEveryExpectedEntry) {
  for (const Expected due : kAllExpected) {
    for (int type = 0; type < 256; ++type) {
      for (const Fate fate : {Fate::forward, Fate::swallow}) {
        SCOPED_TRACE(testing::Message()
                     << name_of(due) << " meets type " << type << " '" << static_cast<char>(type) << "'");
        Pipeline pipeline;
        pipeline.push(due, fate, 7);
        const Verdict verdict = pipeline.on_message(static_cast<char>(type));
        const Verdict by_fate = fate == Fate::forward ? Verdict::forward : Verdict::swallow;
        switch (effect_of(static_cast<char>(type), due)) {
          case Effect::completes:
            EXPECT_EQ(verdict, by_fate);
            EXPECT_TRUE(pipeline.empty());
            ASSERT_TRUE(pipeline.completed());
            EXPECT_EQ(pipeline.completed()->expected, due);
            EXPECT_EQ(pipeline.completed()->tag, 7U);
            break;
          case Effect::stays:
            // An error at the Sync is the client's even when the Sync is ours.
            EXPECT_EQ(verdict, type == 'E' && due == Expected::sync ? Verdict::forward : by_fate);
            ASSERT_FALSE(pipeline.empty());
            EXPECT_EQ(pipeline.front().expected, due);
            EXPECT_FALSE(pipeline.completed());
            EXPECT_TRUE(pipeline.skipped().empty());
            break;
          case Effect::violates:
            EXPECT_EQ(verdict, Verdict::violation);
            ASSERT_FALSE(pipeline.empty());
            EXPECT_EQ(pipeline.front().expected, due);
            EXPECT_FALSE(pipeline.completed());
            EXPECT_EQ(pipeline.copy(), Copy::none);
            break;
          case Effect::skips:
            EXPECT_EQ(verdict, Verdict::forward) << "an error in an extended message is the client's";
            EXPECT_TRUE(pipeline.empty());
            EXPECT_FALSE(pipeline.completed());
            ASSERT_EQ(pipeline.skipped().size(), 1U);
            EXPECT_EQ(pipeline.skipped()[0].expected, due);
            break;
        }
      }
    }
  }
}

TEST(PipelineTest, NothingMayComeWhenNothingWasSent) {
  for (int type = 0; type < 256; ++type) {
    Pipeline pipeline;
    EXPECT_EQ(pipeline.on_message(static_cast<char>(type)), Verdict::violation) << type;
    EXPECT_TRUE(pipeline.empty());
  }
}

TEST(PipelineTest, AViolationForgetsWhatTheMessageBeforeCompleted) {
  Pipeline pipeline;
  pipeline.push(Expected::parse, Fate::forward);
  ASSERT_EQ(pipeline.on_message('1'), Verdict::forward);
  ASSERT_TRUE(pipeline.completed());
  EXPECT_EQ(pipeline.on_message('1'), Verdict::violation);
  EXPECT_FALSE(pipeline.completed());
}

/// Feeds `types` and returns one letter per verdict: f, s, v; i for each injection that was due.
std::string run(Pipeline& pipeline, std::string_view types) {
  std::string out;
  const auto inject = [&] {
    while (pipeline.take_injection()) out += 'i';
  };
  inject();
  for (const char type : types) {
    switch (pipeline.on_message(type)) {
      case Verdict::forward:
        out += 'f';
        break;
      case Verdict::swallow:
        out += 's';
        break;
      case Verdict::violation:
        out += 'v';
        break;
    }
    inject();
  }
  return out;
}

TEST(PipelineTest, AnExtendedQueryGoesThroughInOrder) {
  Pipeline pipeline;
  for (const auto expected :
       {Expected::parse, Expected::bind, Expected::describe, Expected::execute, Expected::sync}) {
    pipeline.push(expected, Fate::forward);
  }
  EXPECT_EQ(run(pipeline, "12TDDCZ"), "fffffff");
  EXPECT_TRUE(pipeline.empty());
}

TEST(PipelineTest, AQueryOfSeveralStatementsEndsWithItsReadyForQuery) {
  Pipeline pipeline;
  pipeline.push(Expected::query, Fate::forward, 3);
  EXPECT_EQ(run(pipeline, "TDDCTCCIE"), "fffffffff");
  EXPECT_FALSE(pipeline.empty());
  EXPECT_EQ(run(pipeline, "Z"), "f");
  EXPECT_TRUE(pipeline.empty());
  EXPECT_EQ(pipeline.completed()->tag, 3U);
}

TEST(PipelineTest, SwallowsOurMessagesAndForwardsTheClients) {
  Pipeline pipeline;
  pipeline.push(Expected::query, Fate::swallow);  // settings
  pipeline.push(Expected::close, Fate::swallow);  // eviction
  pipeline.push(Expected::parse, Fate::swallow);
  pipeline.push(Expected::bind, Fate::forward);
  pipeline.push(Expected::execute, Fate::forward);
  pipeline.push(Expected::sync, Fate::forward);
  EXPECT_EQ(run(pipeline, "TDCZ312DCZ"), "ssssssffff");
  EXPECT_TRUE(pipeline.empty());
}

TEST(PipelineTest, InjectionsComeInTheirPlaces) {
  Pipeline pipeline;
  pipeline.push(Expected::parse, Fate::inject, 1);
  pipeline.push(Expected::bind, Fate::forward);
  pipeline.push(Expected::execute, Fate::forward);
  pipeline.push(Expected::close, Fate::inject, 2);
  pipeline.push(Expected::close, Fate::inject, 3);
  pipeline.push(Expected::sync, Fate::forward);
  EXPECT_EQ(run(pipeline, "2DsZ"), "ifffiif");
  EXPECT_TRUE(pipeline.empty());
}

TEST(PipelineTest, AnInjectionIsTakenOnceAndOnlyWhenItIsDue) {
  Pipeline pipeline;
  EXPECT_FALSE(pipeline.take_injection());
  pipeline.push(Expected::bind, Fate::forward);
  pipeline.push(Expected::parse, Fate::inject, 9);
  EXPECT_FALSE(pipeline.take_injection());
  ASSERT_EQ(pipeline.on_message('2'), Verdict::forward);
  const auto entry = pipeline.take_injection();
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->expected, Expected::parse);
  EXPECT_EQ(entry->tag, 9U);
  EXPECT_FALSE(pipeline.take_injection());
  EXPECT_TRUE(pipeline.empty());
}

TEST(PipelineTest, AnErrorSkipsToTheSyncWithWhatWasToBeInjected) {
  Pipeline pipeline;
  pipeline.push(Expected::parse, Fate::forward, 1);
  pipeline.push(Expected::bind, Fate::forward, 2);
  pipeline.push(Expected::parse, Fate::inject, 3);
  pipeline.push(Expected::parse, Fate::swallow, 4);
  pipeline.push(Expected::execute, Fate::forward, 5);
  pipeline.push(Expected::sync, Fate::forward, 6);
  EXPECT_EQ(run(pipeline, "1E"), "ff");
  std::vector<std::uint32_t> tags;
  for (const Entry& entry : pipeline.skipped()) tags.push_back(entry.tag);
  EXPECT_EQ(tags, (std::vector<std::uint32_t>{2, 3, 4, 5}))
      << "the failed one and all behind it, not what was confirmed";
  ASSERT_FALSE(pipeline.empty());
  EXPECT_EQ(pipeline.front().expected, Expected::sync);
  EXPECT_EQ(run(pipeline, "Z"), "f");
  EXPECT_TRUE(pipeline.skipped().empty()) << "they belong to the last message only";
  EXPECT_TRUE(pipeline.empty());
}

TEST(PipelineTest, AnErrorSkipsOnlyToTheNextSync) {
  Pipeline pipeline;
  for (int i = 0; i < 2; ++i) {
    pipeline.push(Expected::bind, Fate::forward);
    pipeline.push(Expected::execute, Fate::forward);
    pipeline.push(Expected::sync, Fate::forward);
  }
  EXPECT_EQ(run(pipeline, "EZ2CZ"), "fffff");
  EXPECT_TRUE(pipeline.empty());
}

TEST(PipelineTest, WithoutASyncAnErrorSkipsEverything) {
  Pipeline pipeline;
  pipeline.push(Expected::parse, Fate::forward);
  pipeline.push(Expected::bind, Fate::forward);
  EXPECT_EQ(run(pipeline, "E"), "f");
  EXPECT_TRUE(pipeline.empty());
  EXPECT_EQ(pipeline.skipped().size(), 2U);
}

TEST(PipelineTest, AnErrorInAMessageOfOursIsTheClientsInAnExtendedQuery) {
  Pipeline pipeline;
  pipeline.push(Expected::parse, Fate::swallow);
  pipeline.push(Expected::bind, Fate::forward);
  pipeline.push(Expected::sync, Fate::forward);
  EXPECT_EQ(run(pipeline, "EZ"), "ff");
}

TEST(PipelineTest, AnErrorAtTheSyncIsFollowedByItsReadyForQuery) {
  Pipeline pipeline;
  pipeline.push(Expected::execute, Fate::forward);
  pipeline.push(Expected::sync, Fate::forward);
  EXPECT_EQ(run(pipeline, "CEZ"), "fff") << "a deferred constraint fails at the implicit commit";
  EXPECT_TRUE(pipeline.empty());
}

TEST(PipelineTest, AnErrorInAQueryKeepsItUntilItsReadyForQuery) {
  Pipeline pipeline;
  pipeline.push(Expected::query, Fate::swallow);
  pipeline.push(Expected::query, Fate::forward);
  EXPECT_EQ(run(pipeline, "EZTEZ"), "ssfff");
  EXPECT_TRUE(pipeline.empty());
}

TEST(PipelineTest, ASuspendedPortalEndsItsExecute) {
  Pipeline pipeline;
  pipeline.push(Expected::bind, Fate::forward);
  pipeline.push(Expected::execute, Fate::forward);
  pipeline.push(Expected::execute, Fate::forward);
  pipeline.push(Expected::sync, Fate::forward);
  EXPECT_EQ(run(pipeline, "2DDsDCZ"), "fffffff");
  EXPECT_TRUE(pipeline.empty());
}

TEST(PipelineTest, CopyOutOfAQuery) {
  Pipeline pipeline;
  pipeline.push(Expected::query, Fate::forward);
  EXPECT_EQ(run(pipeline, "Hdd"), "fff");
  EXPECT_EQ(pipeline.copy(), Copy::out);
  EXPECT_EQ(run(pipeline, "cC"), "ff");
  EXPECT_EQ(pipeline.copy(), Copy::none);
  EXPECT_EQ(run(pipeline, "d"), "v") << "no data after the end";
  EXPECT_EQ(run(pipeline, "Z"), "f");
  EXPECT_TRUE(pipeline.empty());
}

TEST(PipelineTest, CopyOutOfAnExecuteKeepsTheSync) {
  Pipeline pipeline;
  pipeline.push(Expected::execute, Fate::forward);
  pipeline.push(Expected::sync, Fate::forward);
  EXPECT_EQ(run(pipeline, "HddcCZ"), "ffffff");
  EXPECT_TRUE(pipeline.empty());
}

TEST(PipelineTest, CopyOutThatFailsIsOver) {
  Pipeline pipeline;
  pipeline.push(Expected::query, Fate::forward);
  EXPECT_EQ(run(pipeline, "HdE"), "fff");
  EXPECT_EQ(pipeline.copy(), Copy::none);
  EXPECT_EQ(run(pipeline, "d"), "v");
}

TEST(PipelineTest, CopyDataNeedsACopyOutResponse) {
  for (const char type : {'d', 'c'}) {
    Pipeline pipeline;
    pipeline.push(Expected::query, Fate::forward);
    EXPECT_EQ(pipeline.on_message(type), Verdict::violation);
    ASSERT_EQ(pipeline.on_message('G'), Verdict::forward);
    EXPECT_EQ(pipeline.on_message(type), Verdict::violation) << "the server sends no data during COPY in";
  }
}

TEST(PipelineTest, CopyInOfAQuery) {
  Pipeline pipeline;
  pipeline.push(Expected::query, Fate::forward);
  EXPECT_EQ(run(pipeline, "G"), "f");
  EXPECT_EQ(pipeline.copy(), Copy::in);
  pipeline.copy_in_ended();
  EXPECT_EQ(pipeline.copy(), Copy::none);
  EXPECT_EQ(run(pipeline, "CZ"), "ff");
  EXPECT_TRUE(pipeline.empty());
}

TEST(PipelineTest, CopyInOfAnExecuteDropsTheSyncThatCameAlong) {
  Pipeline pipeline;
  pipeline.push(Expected::parse, Fate::forward);
  pipeline.push(Expected::bind, Fate::forward);
  pipeline.push(Expected::execute, Fate::forward, 5);
  pipeline.push(Expected::sync, Fate::forward);
  EXPECT_EQ(run(pipeline, "12G"), "fff");
  pipeline.copy_in_ended();
  EXPECT_EQ(run(pipeline, "C"), "f");
  EXPECT_EQ(pipeline.completed()->tag, 5U);
  EXPECT_TRUE(pipeline.empty()) << "the server ignored that Sync";
  pipeline.push(Expected::sync, Fate::forward);  // the one behind the data
  EXPECT_EQ(run(pipeline, "Z"), "f");
  EXPECT_TRUE(pipeline.empty());
}

TEST(PipelineTest, CopyInThatFailsWaitsForTheSyncBehindTheData) {
  Pipeline pipeline;
  pipeline.push(Expected::execute, Fate::forward);
  pipeline.push(Expected::sync, Fate::forward);
  EXPECT_EQ(run(pipeline, "GE"), "ff");
  EXPECT_EQ(pipeline.copy(), Copy::none);
  EXPECT_TRUE(pipeline.empty());
  EXPECT_EQ(run(pipeline, "Z"), "v") << "not before a Sync was sent";
  pipeline.push(Expected::sync, Fate::forward);
  EXPECT_EQ(run(pipeline, "Z"), "f");
}

TEST(PipelineTest, ReadyForQueryEndsACopy) {
  Pipeline pipeline;
  pipeline.push(Expected::query, Fate::forward);
  EXPECT_EQ(run(pipeline, "GZ"), "ff");
  EXPECT_EQ(pipeline.copy(), Copy::none);
}

TEST(PipelineTest, SwallowAllKeepsTheOrderAndHidesTheRest) {
  Pipeline pipeline;
  pipeline.push(Expected::parse, Fate::forward);
  pipeline.push(Expected::bind, Fate::forward);
  pipeline.push(Expected::execute, Fate::forward);
  pipeline.push(Expected::sync, Fate::forward);
  EXPECT_EQ(run(pipeline, "1"), "f");
  pipeline.swallow_all();
  EXPECT_EQ(run(pipeline, "2DCZ"), "ssss");
  EXPECT_TRUE(pipeline.empty());
}

TEST(PipelineTest, WhatWasToBeInjectedIsNotGivenWhenAnswersAreSwallowed) {
  Pipeline pipeline;
  pipeline.push(Expected::bind, Fate::forward);
  pipeline.push(Expected::parse, Fate::inject);
  pipeline.push(Expected::execute, Fate::forward);
  pipeline.push(Expected::close, Fate::inject);
  pipeline.push(Expected::sync, Fate::forward);
  pipeline.swallow_all();
  EXPECT_EQ(run(pipeline, "2DCZ"), "ssss");
  EXPECT_TRUE(pipeline.empty());
  pipeline.push(Expected::parse, Fate::inject);
  pipeline.swallow_all();
  EXPECT_TRUE(pipeline.empty());
}

TEST(PipelineTest, ClearForgetsEverything) {
  Pipeline pipeline;
  pipeline.push(Expected::execute, Fate::forward);
  ASSERT_EQ(pipeline.on_message('H'), Verdict::forward);
  pipeline.clear();
  EXPECT_TRUE(pipeline.empty());
  EXPECT_EQ(pipeline.copy(), Copy::none);
  EXPECT_FALSE(pipeline.completed());
  EXPECT_TRUE(pipeline.skipped().empty());
}

TEST(PipelineTest, CanBeUsedForManyUnitsInTurn) {
  Pipeline pipeline;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    pipeline.push(Expected::bind, Fate::forward, i);
    pipeline.push(Expected::execute, Fate::forward, i);
    pipeline.push(Expected::sync, Fate::forward, i);
    ASSERT_EQ(run(pipeline, i % 3 == 0 ? "EZ" : "2CZ"), i % 3 == 0 ? "ff" : "fff");
    ASSERT_EQ(pipeline.completed()->tag, i);
    ASSERT_TRUE(pipeline.empty());
  }
}

/// A server that answers a sequence as the manual says, with random choices where it leaves any.
class RandomServer {
 public:
  RandomServer(std::mt19937& random, std::vector<Entry> sent) : random_(random), sent_(std::move(sent)) {}

  /// The whole answer; what is injected is none of the server's business. `forwarded` are the types that the
  /// client is to see, injections among them as 'i'.
  std::string answer(std::string& forwarded) {
    std::string out;
    bool skipping = false;
    for (const Entry& entry : sent_) {
      if (entry.expected != Expected::sync && skipping) continue;
      skipping = false;
      if (entry.fate == Fate::inject) {
        forwarded += 'i';
        continue;
      }
      std::string types = success(entry.expected);
      const bool fails = random_() % 6 == 0;
      if (fails) types = failure(entry.expected);
      if (fails && is_extended(entry.expected)) skipping = true;
      out += types;
      for (const char type : types) {
        const bool seen = entry.fate == Fate::forward ||
                          (type == 'E' && (is_extended(entry.expected) || entry.expected == Expected::sync));
        if (seen) forwarded += type;
      }
    }
    return out;
  }

 private:
  static bool is_extended(Expected expected) {
    return expected != Expected::query && expected != Expected::function_call && expected != Expected::sync;
  }
  std::string pick(std::initializer_list<std::string_view> choices) {
    return std::string(*(choices.begin() + random_() % choices.size()));
  }
  std::string success(Expected expected) {
    switch (expected) {
      case Expected::query:
        return pick({"TDDCZ", "CZ", "IZ", "HddcCZ", "TCCTDCZ"});
      case Expected::parse:
        return "1";
      case Expected::bind:
        return "2";
      case Expected::describe:
        return pick({"T", "n", "tT", "tn"});
      case Expected::execute:
        return pick({"DDC", "C", "I", "Ds", "HddcC"});
      case Expected::close:
        return "3";
      case Expected::sync:
        return "Z";
      case Expected::function_call:
        return "VZ";
    }
    return {};
  }
  std::string failure(Expected expected) {
    switch (expected) {
      case Expected::query:
        return pick({"EZ", "TDEZ", "HdEZ", "CEZ"});
      case Expected::describe:
        return pick({"E", "tE"});
      case Expected::execute:
        return pick({"E", "DE", "HdE"});
      case Expected::sync:
      case Expected::function_call:
        return "EZ";
      default:
        return "E";
    }
  }
  std::mt19937& random_;
  std::vector<Entry> sent_;
};

TEST(PipelineTest, FollowsAnyServerThatFollowsTheProtocol) {
  std::mt19937 random(20240607);
  for (int round = 0; round < 5000; ++round) {
    std::vector<Entry> sent;
    const std::size_t size = 1 + random() % 12;
    for (std::size_t i = 0; i < size; ++i) {
      const Expected expected = kAllExpected[random() % kAllExpected.size()];
      Fate fate = random() % 3 == 0 ? Fate::swallow : Fate::forward;
      if ((expected == Expected::parse || expected == Expected::close) && random() % 3 == 0)
        fate = Fate::inject;
      // A Query only follows a Sync: the server ignores it while it skips.
      if ((expected == Expected::query || expected == Expected::function_call) && !sent.empty()) {
        sent.push_back({Expected::sync, Fate::forward, 0});
      }
      sent.push_back({expected, fate, 0});
    }
    sent.push_back({Expected::sync, Fate::forward, 0});

    Pipeline pipeline;
    for (const Entry& entry : sent) pipeline.push(entry.expected, entry.fate, entry.tag);
    std::string to_see;
    const std::string answer = RandomServer(random, sent).answer(to_see);
    std::string seen;
    const auto inject = [&] {
      while (pipeline.take_injection()) seen += 'i';
    };
    inject();
    for (const char type : answer) {
      ASSERT_FALSE(pipeline.empty()) << answer;
      const Verdict verdict = pipeline.on_message(type);
      ASSERT_NE(verdict, Verdict::violation) << answer << " at " << type;
      if (verdict == Verdict::forward) seen += type;
      inject();
    }
    ASSERT_TRUE(pipeline.empty()) << answer;
    ASSERT_EQ(seen, to_see) << answer;
    ASSERT_EQ(pipeline.copy(), Copy::none);
  }
}

}  // namespace
}  // namespace tidemark::protocol
