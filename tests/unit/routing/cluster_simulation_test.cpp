// What the reducer says of freshness and delay, against a simulated cluster whose truth is known: a primary
// that writes in bursts, replicas that trail it and restart in the past, answers that take their time.
#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/unit/routing/reducer_fixture.hpp"

namespace tidemark::routing {
namespace {

using std::chrono::microseconds;

TimePoint at_us(std::int64_t us) {
  return at_ms(0) + microseconds(us);
}
std::int64_t us_of(TimePoint at) {
  return std::chrono::duration_cast<microseconds>(at - at_ms(0)).count();
}

/// Positions by the microsecond.
using Course = std::vector<std::uint64_t>;

class Simulation {
 public:
  static constexpr std::int64_t kLength = 400'000;

  explicit Simulation(std::uint64_t seed) : random_(seed) {
    primary_.resize(kLength);
    std::uint64_t lsn = 1000;
    std::int64_t until = 0;
    std::uint64_t chance = 0;
    for (std::int64_t us = 0; us < kLength; ++us) {
      if (us >= until) {  // idle, a trickle, or a burst
        until = us + below(20'000);
        constexpr std::array<std::uint64_t, 3> kChances{0, 1, 100};
        chance = kChances[random_() % kChances.size()];
      }
      if (random_() % 1000 < chance) lsn += 1 + random_() % 200;
      at(primary_, us) = lsn;
    }
    for (Course& replica : replicas_) replay(replica);
    std::vector<Observation> all;
    for (std::uint16_t node = 0; node < 3; ++node) ask(NodeId{node}, all);
    std::stable_sort(all.begin(), all.end(),
                     [](const auto& a, const auto& b) { return a.answered_at < b.answered_at; });
    events_ = std::move(all);
  }

  [[nodiscard]] const std::vector<Observation>& events() const { return events_; }
  [[nodiscard]] std::uint64_t primary_at(TimePoint moment) const { return at(primary_, us_of(moment)); }
  /// For how long the primary had been ahead of the replica then.
  [[nodiscard]] Duration true_delay(NodeId node, TimePoint moment) const {
    const std::uint64_t had = at(replicas_[index(node) - 1], us_of(moment));
    const auto passed = std::upper_bound(primary_.begin(), primary_.end(), had) - primary_.begin();
    return std::max(Duration::zero(), moment - at_us(passed));
  }

 private:
  static constexpr std::int64_t kRestartEvery = 100'000;

  static std::uint64_t& at(Course& course, std::int64_t us) { return course[static_cast<std::size_t>(us)]; }
  static std::uint64_t at(const Course& course, std::int64_t us) {
    return course[static_cast<std::size_t>(us)];
  }
  std::int64_t below(std::int64_t end) {
    return static_cast<std::int64_t>(random_() % static_cast<std::uint64_t>(end));
  }

  void replay(Course& replica) {
    replica.resize(kLength);
    std::int64_t delay = 0;
    std::uint64_t had = 0;
    for (std::int64_t us = 0; us < kLength; ++us) {
      if (us % 5000 == 0) delay = below(4) == 0 ? below(50'000) : below(1000);
      const std::uint64_t now = at(primary_, std::max<std::int64_t>(0, us - delay));
      had = us % kRestartEvery == 0 ? now / 2 : std::max(had, now);
      at(replica, us) = had;
    }
  }

  void ask(NodeId node, std::vector<Observation>& all) {
    const bool primary = index(node) == 0;
    const Course& course = primary ? primary_ : replicas_[index(node) - 1];
    for (std::int64_t us = below(2000);;) {
      const std::int64_t asked = us;
      const std::int64_t read = asked + below(1500);
      const std::int64_t answered = read + below(1500);
      if (answered >= kLength) return;
      us = answered + (below(20) == 0 ? below(30'000) : below(600));
      // A connection does not outlive a restart.
      if (!primary && asked / kRestartEvery != answered / kRestartEvery) continue;
      Observation observation;
      observation.node = node;
      observation.incarnation = static_cast<std::uint64_t>(asked / kRestartEvery) + 1;
      observation.asked_at = at_us(asked);
      observation.answered_at = at_us(answered);
      observation.in_recovery = !primary;
      observation.system_identifier = kSystem;
      observation.timeline = {1};
      observation.position = {at(course, read)};
      all.push_back(std::move(observation));
    }
  }

  std::mt19937_64 random_;
  Course primary_;
  std::array<Course, 2> replicas_;
  std::vector<Observation> events_;
};

TEST(ClusterSimulation, FreshnessAndDelayNeverSayMoreThanIsTrue) {
  Duration staleness_told{}, delays_told{}, delays_true{};
  int told = 0;
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    SCOPED_TRACE(seed);
    const Simulation simulation(seed);
    ClusterReducer reducer(three_nodes());
    for (const Observation& event : simulation.events()) {
      reducer.apply(event);
      for (const NodeState& node : reducer.view().nodes) {
        if (node.fresh_at == TimePoint{}) continue;
        ASSERT_LE(node.fresh_at, event.answered_at);
        ASSERT_LE(simulation.primary_at(node.fresh_at), node.position.value) << node.name;
        if (!event.in_recovery || event.node != node.id) continue;
        staleness_told += event.answered_at - node.fresh_at;
        ++told;
      }
      if (!event.in_recovery) continue;
      const Duration truth = simulation.true_delay(event.node, event.asked_at);
      const Duration delay = reducer.view().node(event.node).behind_for;
      ASSERT_LE(delay, truth);
      ASSERT_EQ(event.asked_at, reducer.view().node(event.node).observed_at);
      delays_told += delay;
      delays_true += truth;
    }
  }
  // And it says something: bounds that are never told would pass, too.
  ASSERT_GT(told, 1000);
  EXPECT_LT(staleness_told / told, std::chrono::milliseconds(40));
  EXPECT_GT(4 * delays_told, delays_true);
}

}  // namespace
}  // namespace tidemark::routing
