#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tests/consistency/history.hpp"

namespace tidemark::consistency {

// What a history can show to be broken. A read is judged against the operations of its session that had ended
// when it started; one read may break several guarantees.
enum class ViolationKind : std::uint8_t {
  stale_read,           // read your writes: older than the session's own acknowledged write
  step_back,            // monotonic reads: older than what the session had read
  effect_before_cause,  // writes follow reads: the session has seen a write, but not what its writer had read
                        // before
  impossible_version,   // newer than anything that anyone can have written: an answer to somebody else's
                        // question
  lost_write,  // two acknowledged writes got one version, or the final version is below an acknowledged one
};
inline constexpr std::size_t violation_kinds = 5;

std::string_view name_of(ViolationKind kind);

struct Violation {
  ViolationKind kind{};
  Operation operation;             // the read that is wrong; for lost_write the write that was lost
  std::int64_t required{};         // the version it had to have at least (impossible_version: at most)
  std::optional<Operation> cause;  // where `required` comes from
  // The write that made `required`, if it is known: was it acknowledged when the wrong read ended?
  std::optional<Operation> origin;
};

// How much a history must contain before "no violation" means anything.
struct Demands {
  std::uint64_t reads_after_own_write = 1;   // reads of a key that the session itself had written
  std::uint64_t reads_of_advancing_key = 1;  // repeated reads of a key that others wrote in the meantime
  std::uint64_t nodes = 2;  // servers that answered reads: one alone cannot disagree with itself
};

struct Verdict {
  std::uint64_t reads{};
  std::uint64_t writes{};
  std::uint64_t unknown_writes{};
  std::uint64_t failed_reads{};
  std::uint64_t failed_writes{};
  std::uint64_t lost_writes_told{};
  std::uint64_t reads_after_own_write{};
  std::uint64_t reads_soon_after_own_write{};  // started within `soon` of the end of the write
  std::uint64_t repeated_reads{};
  std::uint64_t reads_of_advancing_key{};
  std::uint64_t reads_with_known_cause{};  // checked for effect_before_cause
  std::uint64_t counts[violation_kinds]{};
  // Of the violations: the wrong read was at the node that had made the write that the session had seen, and
  // the write was not acknowledged yet when the read ended. A replica shows a commit as soon as it has
  // replayed it, the primary only when the committing backend goes on.
  std::uint64_t before_acknowledgement{};
  std::vector<Violation> first;  // the first few by time, `max_described` at most
  std::map<std::uint16_t, std::uint64_t> reads_by_node;
  std::vector<std::string>
      proves_nothing;  // why an absence of violations would mean nothing; empty: it means something

  std::uint64_t count(ViolationKind kind) const { return counts[static_cast<std::size_t>(kind)]; }
  std::uint64_t violations() const;
  // No violation, and enough was looked at to say so.
  bool holds() const { return violations() == 0 && proves_nothing.empty(); }
};

// Judges a whole history. Pure; O(n log n) in its operations.
Verdict judge(const History& history, const Demands& demands, std::size_t max_described = 10,
              std::int64_t soon = 50'000'000);

// One line: who, which key, which versions, which nodes, when (relative to `origin`, ns).
std::string describe(const Violation& violation, std::int64_t origin = 0);

}  // namespace tidemark::consistency
