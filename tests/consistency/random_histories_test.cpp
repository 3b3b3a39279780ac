// The judge against one that is as simple as the definitions, and needs the whole history at once.
#include <algorithm>
#include <array>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/consistency/history_checker.hpp"

namespace tidemark::consistency {
namespace {

using Counts = std::array<std::uint64_t, violation_kinds>;

class SimpleJudge {
 public:
  SimpleJudge(const History& history, std::int64_t bound) : history_(history), bound_(bound) {}

  Counts run() {
    for (const Operation& operation : history_.operations) {
      if (operation.kind == OperationKind::read) judge_read(operation);
      if (operation.kind == OperationKind::write) judge_write(operation);
    }
    return counts_;
  }

 private:
  std::int64_t initial(std::uint32_t key) const {
    const auto found = history_.initial.find(key);
    return found == history_.initial.end() ? 0 : found->second;
  }

  template <typename Condition>
  std::vector<Operation> all(const Condition& condition) const {
    std::vector<Operation> found;
    std::copy_if(history_.operations.begin(), history_.operations.end(), std::back_inserter(found),
                 condition);
    return found;
  }

  static bool is(const Operation& operation, OperationKind kind) { return operation.kind == kind; }

  bool possible(const Operation& shown) const {
    std::set<std::int64_t> made;
    std::int64_t begun = 0;
    std::int64_t unknown = 0;
    for (const Operation& other : all([&](const Operation& o) {
           return o.key == shown.key && o.start < shown.end &&
                  (is(o, OperationKind::write) || is(o, OperationKind::unknown_write));
         })) {
      ++begun;
      if (is(other, OperationKind::unknown_write))
        ++unknown;
      else if (other.version > initial(shown.key) && other.version <= shown.version)
        made.insert(other.version);
    }
    return shown.version <= initial(shown.key) ||
           shown.version - initial(shown.key) - static_cast<std::int64_t>(made.size()) <= unknown;
  }

  // Operations that had ended before `operation` started, of its key, and showed what can be.
  std::vector<Operation> before(const Operation& operation, OperationKind kind) const {
    return all([&](const Operation& o) {
      return is(o, kind) && o.key == operation.key && o.end <= operation.start && possible(o);
    });
  }

  std::vector<Operation> told(std::uint32_t user) const {
    return all([&](const Operation& o) { return is(o, OperationKind::lost_write_told) && o.user == user; });
  }

  // Whether `earlier` binds what its user starts at `time`.
  bool binds(const Operation& earlier, std::int64_t time) const {
    if (earlier.end > time || !possible(earlier)) return false;
    for (const Operation& end : told(earlier.user))
      if (end.end <= time && earlier.start < end.end) return false;
    return true;
  }

  // What the author of a write had read last, of another key.
  std::optional<Operation> cause_of_write(const Operation& write) const {
    std::vector<Operation> reads = all([&](const Operation& o) {
      return is(o, OperationKind::read) && o.user == write.user && binds(o, write.start);
    });
    if (reads.empty()) return std::nullopt;
    const Operation last = *std::max_element(
        reads.begin(), reads.end(), [](const Operation& a, const Operation& b) { return a.end < b.end; });
    return last.key == write.key ? std::nullopt : std::optional(last);
  }

  std::optional<Operation> cause_of_read(const Operation& read) const {
    std::vector<Operation> writes = all([&](const Operation& o) {
      return is(o, OperationKind::write) && o.key == read.key && o.version == read.version &&
             o.start < read.end && o.version > initial(o.key);
    });
    std::sort(writes.begin(), writes.end(),
              [](const Operation& a, const Operation& b) { return a.start < b.start; });
    for (const Operation& write : writes)
      if (const auto cause = cause_of_write(write)) return cause;
    return std::nullopt;
  }

  static bool any_newer(const std::vector<Operation>& operations, std::int64_t version) {
    return std::any_of(operations.begin(), operations.end(),
                       [&](const Operation& o) { return o.version > version; });
  }

  void judge_read(const Operation& read) {
    if (!possible(read)) add(ViolationKind::impossible_version);
    judge_for_user(read);
    const std::vector<Operation> written = before(read, OperationKind::write);
    if (read.version < initial(read.key) || any_newer(written, read.version))
      add(ViolationKind::behind_acknowledged);
    if (any_newer(before(read, OperationKind::read), read.version)) add(ViolationKind::behind_read);
    // What was there initially is as old as the first read.
    std::int64_t first = read.start;
    for (const Operation& other : history_.operations)
      if (is(other, OperationKind::read)) first = std::min(first, other.start);
    if (read.version < initial(read.key) && first < read.start - bound_)
      return add(ViolationKind::over_bound);
    for (const Operation& write : written)
      if (write.version > std::max(read.version, initial(read.key)) && write.end < read.start - bound_)
        return add(ViolationKind::over_bound);
  }

  void judge_for_user(const Operation& read) {
    for (const Operation& end : told(read.user))
      if (end.start < read.end && end.end > read.start) return;
    std::vector<Operation> own = all([&](const Operation& o) {
      return o.user == read.user && binds(o, read.start) &&
             (is(o, OperationKind::read) || is(o, OperationKind::write));
    });
    bool stale = false;
    bool back = false;
    bool before_cause = false;
    for (const Operation& earlier : own) {
      const bool newer = earlier.key == read.key && earlier.version > read.version;
      if (is(earlier, OperationKind::write)) stale = stale || newer;
      if (!is(earlier, OperationKind::read)) continue;
      back = back || newer;
      const auto cause = cause_of_read(earlier);
      before_cause = before_cause || (cause && cause->key == read.key && cause->version > read.version);
    }
    if (stale) add(ViolationKind::stale_read);
    if (back) add(ViolationKind::step_back);
    if (before_cause) add(ViolationKind::effect_before_cause);
  }

  void judge_write(const Operation& write) {
    const bool can_be = possible(write);
    if (!can_be) add(ViolationKind::impossible_version);
    const std::int64_t below = write.version - 1;
    if (below < initial(write.key) || any_newer(before(write, OperationKind::write), below) ||
        any_newer(before(write, OperationKind::read), below))
      add(ViolationKind::write_out_of_order);
    // Of several writes with one version each but the last to be acknowledged is lost.
    const bool lost = !all([&](const Operation& o) {
                         return is(o, OperationKind::write) && o.key == write.key &&
                                o.version == write.version && o.end < write.end && possible(o);
                       }).empty();
    if (can_be && lost && write.version > initial(write.key)) add(ViolationKind::lost_write);
  }

  void add(ViolationKind kind) { ++counts_[static_cast<std::size_t>(kind)]; }

  const History& history_;
  const std::int64_t bound_;
  Counts counts_{};
};

// A cluster that works badly: reads lag, some answers are wrong, some outcomes unknown, some losses told. All
// times differ.
History random_history(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto any = [&random](std::int64_t from, std::int64_t to) {
    return std::uniform_int_distribution<std::int64_t>(from, to)(random);
  };
  History history;
  if (seed % 2 == 0) history.initial = {{0, 10}, {1, 3}};
  std::map<std::uint32_t, std::int64_t> newest = {
      {0, seed % 2 == 0 ? 10 : 0}, {1, seed % 2 == 0 ? 3 : 0}, {2, 0}};
  std::set<std::int64_t> used;
  const auto unused = [&](std::int64_t time) {
    while (!used.insert(time).second) ++time;
    return time;
  };
  const std::int64_t count = any(5, 40);
  for (std::int64_t i = 0; i < count; ++i) {
    Operation operation;
    operation.session = static_cast<std::uint32_t>(any(0, 5));
    operation.user = operation.session / 2;
    operation.key = static_cast<std::uint32_t>(any(0, 2));
    operation.node = static_cast<std::uint16_t>(any(5432, 5434));
    operation.start = unused(100 * i + any(0, 300));
    operation.end = unused(operation.start + any(1, 400));
    std::int64_t& version = newest[operation.key];
    const std::int64_t what = any(0, 99);
    if (what < 60) {
      operation.kind = OperationKind::read;
      operation.version = any(0, 9) < 7 ? version : version - any(-1, 4);
    } else if (what < 88) {
      operation.kind = OperationKind::write;
      operation.version = any(0, 19) == 0 ? version + any(-2, 3) : ++version;
    } else if (what < 93) {
      operation.kind = OperationKind::unknown_write;
      if (any(0, 1) == 0) ++version;
    } else if (what < 96) {
      operation.kind = any(0, 1) == 0 ? OperationKind::failed_read : OperationKind::failed_write;
    } else {
      operation.kind = OperationKind::lost_write_told;
    }
    history.operations.push_back(operation);
  }
  return history;
}

// Gives the operations as a driver does, when they have ended, and judges after some of them.
Verdict judge_as_it_comes(const History& history, const HistoryJudge::Settings& settings,
                          std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<Operation> operations = history.operations;
  std::sort(operations.begin(), operations.end(),
            [](const Operation& a, const Operation& b) { return a.end < b.end; });
  HistoryJudge judge(settings, history.initial);
  for (std::size_t i = 0; i < operations.size(); ++i) {
    judge.add(operations[i]);
    if (random() % 3 != 0) continue;
    std::int64_t until = operations[i].end;
    for (std::size_t j = i + 1; j < operations.size(); ++j) until = std::min(until, operations[j].start);
    judge.advance(until);
  }
  return judge.finish(history.final);
}

TEST(RandomHistories, TheJudgeFindsWhatTheDefinitionsSay) {
  Counts total{};
  constexpr std::int64_t bound = 500;
  const HistoryJudge::Settings settings{{Level::bounded_staleness, bound}, {}, 10, 50'000'000, 1};
  for (std::uint64_t seed = 1; seed <= 20'000; ++seed) {
    const History history = random_history(seed);
    const Counts expected = SimpleJudge(history, bound).run();
    const Verdict at_once = judge(history, settings);
    const Verdict verdict = judge_as_it_comes(history, settings, seed);
    ASSERT_EQ(verdict.comparison.disagreements, 0U) << "seed " << seed;
    for (std::size_t i = 0; i < violation_kinds; ++i) {
      const auto kind = static_cast<ViolationKind>(i);
      ASSERT_EQ(verdict.counts[i], expected[i]) << name_of(kind) << ", seed " << seed;
      ASSERT_EQ(at_once.counts[i], expected[i]) << name_of(kind) << ", seed " << seed;
      total[i] += expected[i];
    }
  }
  for (std::size_t i = 0; i < violation_kinds; ++i)
    EXPECT_GT(total[i], 500U) << name_of(static_cast<ViolationKind>(i)) << " is hardly tried";
}

TEST(RandomHistories, WhatHasBeenJudgedCannotBeChanged) {
  HistoryJudge judge({{}, {}, 10, 50'000'000, 0}, {});
  judge.advance(100);
  EXPECT_NO_THROW(judge.add({100, 101, 0, 1, 1, 7, 5432, OperationKind::read}));
  EXPECT_THROW(judge.add({99, 101, 0, 1, 1, 7, 5432, OperationKind::read}), std::invalid_argument);
}

// 200 users of 4 connections each, on 232 keys. TIDEMARK_HISTORY_OPERATIONS sets the length.
TEST(RandomHistories, ALongHistoryIsJudgedAsItComes) {
  const char* const asked = std::getenv("TIDEMARK_HISTORY_OPERATIONS");
  const std::uint64_t length = asked == nullptr ? 300'000 : std::strtoull(asked, nullptr, 10);
  std::mt19937_64 random(1);
  HistoryJudge judge({{Level::strong, 0}, {}, 10, 50'000'000, 100}, {});
  std::vector<std::int64_t> versions(232);
  std::int64_t now = 0;
  std::uint64_t wrong = 0;
  for (std::uint64_t i = 0; i < length; ++i) {
    const auto user = static_cast<std::uint32_t>(random() % 200);
    const auto key = static_cast<std::uint32_t>(random() % 4 == 0 ? 32 + user : random() % 32);
    const auto node = static_cast<std::uint16_t>(5432 + random() % 3);
    const auto duration = static_cast<std::int64_t>(50'000 + random() % 2'000'000);
    const bool writes = random() % 5 == 0;
    std::int64_t version = writes ? ++versions[key] : versions[key];
    if (!writes && version > 0 && random() % 100'000 == 0) {
      --version;
      ++wrong;
    }
    // Each takes effect at `now`, in the middle.
    judge.add({now - duration, now + duration, version, user * 4 + static_cast<std::uint32_t>(random() % 4),
               user, key, node, writes ? OperationKind::write : OperationKind::read});
    now += 100'000;
    if (i % 256 == 0) judge.advance(now - 3'000'000);
  }
  const Verdict verdict = judge.finish({});
  EXPECT_EQ(verdict.reads + verdict.writes, length);
  EXPECT_LE(verdict.count(ViolationKind::behind_acknowledged), wrong);
  EXPECT_EQ(verdict.count(ViolationKind::impossible_version), 0U);
  EXPECT_EQ(verdict.comparison.disagreements, 0U);
  EXPECT_GT(verdict.comparison.windows, 0U);
  EXPECT_EQ(verdict.violations() > 0, verdict.count(ViolationKind::behind_acknowledged) > 0 ||
                                          verdict.count(ViolationKind::behind_read) > 0);
}

}  // namespace
}  // namespace tidemark::consistency
