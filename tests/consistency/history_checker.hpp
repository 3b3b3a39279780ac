#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <unordered_map>
#include <vector>

#include "tests/consistency/event_order.hpp"
#include "tests/consistency/guarantee.hpp"
#include "tests/consistency/history.hpp"
#include "tests/consistency/key_ledger.hpp"
#include "tests/consistency/linearizability.hpp"
#include "tests/consistency/session_guarantees.hpp"
#include "tests/consistency/staleness.hpp"
#include "tests/consistency/violation.hpp"
#include "tests/consistency/window_sample.hpp"

namespace tidemark::consistency {

// How much a history must contain before "no violation" means anything.
struct Demands {
  std::uint64_t reads_after_own_write = 1;   // reads of a key that the user itself had written
  std::uint64_t reads_of_advancing_key = 1;  // repeated reads of a key that others wrote in the meantime
  std::uint64_t nodes = 2;  // servers that answered reads: one alone cannot disagree with itself
  std::uint64_t reads_after_own_write_elsewhere = 0;  // own writes made over another connection
  std::uint64_t reads_soon_after_foreign_write = 0;   // see Verdict
};

struct Verdict {
  Guarantee guarantee;
  std::uint64_t reads{};
  std::uint64_t writes{};
  std::uint64_t unknown_writes{};
  std::uint64_t failed_reads{};
  std::uint64_t failed_writes{};
  std::uint64_t lost_writes_told{};
  std::uint64_t reads_after_own_write{};
  std::uint64_t reads_soon_after_own_write{};       // started within `soon` of the end of the write
  std::uint64_t reads_after_own_write_elsewhere{};  // the write was made over another connection of the user
  std::uint64_t repeated_reads{};
  std::uint64_t reads_of_advancing_key{};
  std::uint64_t reads_with_known_cause{};          // checked for effect_before_cause
  std::uint64_t reads_soon_after_foreign_write{};  // started within `soon` of the end of another user's write
  std::uint64_t counts[violation_kinds]{};         // of all kinds, forbidden or not
  // Of the forbidden ones: the wrong read was at the node that had made the write that had been seen, and the
  // write was not acknowledged yet when the read ended. A replica shows a commit as soon as it has replayed
  // it, the primary only when the committing backend goes on.
  std::uint64_t before_acknowledgement{};
  std::vector<Violation> first;               // the first few forbidden ones by time, `max_described` at most
  std::uint64_t reads_behind{};               // older than an acknowledged write, whoever's
  std::int64_t max_staleness{};               // ns: the age of the oldest of them
  std::int64_t longest_gap_between_writes{};  // ns: between two acknowledgements, whoever wrote
  Comparison comparison;                      // of the two checks of linearizability
  std::map<std::uint16_t, std::uint64_t> reads_by_node;
  std::map<std::uint16_t, std::uint64_t> writes_by_node;
  std::vector<std::string>
      proves_nothing;  // why an absence of violations would mean nothing; empty: it means something

  std::uint64_t count(ViolationKind kind) const { return counts[static_cast<std::size_t>(kind)]; }
  // Those that the guarantee forbids.
  std::uint64_t violations() const;
  // No violation, and enough was looked at to say so.
  bool holds() const { return violations() == 0 && proves_nothing.empty(); }
};

// Judges a history while it is being made, in memory that does not grow with its reads. Pure.
class HistoryJudge {
 public:
  struct Settings {
    Guarantee guarantee;
    Demands demands;
    std::size_t max_described = 10;
    std::int64_t soon = 50'000'000;  // ns
    // Moments of rest of a key from one comparison of both checks of linearizability to the next; 0: none.
    std::uint32_t comparison_stride = 0;
  };

  // `initial`: the version of each key before the first operation; a key that is not named had 0.
  HistoryJudge(const Settings& settings, std::unordered_map<std::uint32_t, std::int64_t> initial);

  // In any order, but none may start before what has been judged.
  void add(const Operation& operation) { events_.add(operation); }
  // Judges what happened before `until` (ns); every operation that starts before it has been added.
  void advance(std::int64_t until);
  // All has been added. `final` as in History. To be called once.
  Verdict finish(const std::unordered_map<std::uint32_t, std::int64_t>& final);

 private:
  struct Key {
    KeyLedger ledger;
    RealTimeOrder order;
    WindowSample sample;
    std::vector<Operation> running;  // acknowledged writes that have not ended
  };

  Key& key_of(std::uint32_t key);
  void on_start(OpenOperation& open);
  void on_end(OpenOperation& open);
  bool on_read_end(const OpenOperation& open, Key& key);
  bool on_write_end(const OpenOperation& open, Key& key);
  void decide(const OpenOperation& open, const Key& key);
  void find_lost_writes(const std::unordered_map<std::uint32_t, std::int64_t>& final);
  void report(Violation violation, std::uint64_t times = 1);
  void state_what_is_missing();

  const Settings settings_;
  const std::unordered_map<std::uint32_t, std::int64_t> initial_;
  EventOrder events_;
  std::unordered_map<std::uint32_t, Key> keys_;
  SessionGuarantees sessions_;
  Staleness staleness_;
  std::int64_t last_acknowledgement_ = 0;
  Verdict verdict_;
};

// The same for a whole history at once. O(n log n) in its operations.
Verdict judge(const History& history, const HistoryJudge::Settings& settings);

}  // namespace tidemark::consistency
