#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "tests/consistency/history.hpp"

namespace tidemark::consistency {

// What a history can show to be broken. One operation may break several guarantees.
enum class ViolationKind : std::uint8_t {
  // Of one user, against what had ended on any of its connections when the read started.
  stale_read,           // read your writes: older than the user's own acknowledged write
  step_back,            // monotonic reads: older than what the user had read
  effect_before_cause,  // writes follow reads: the user has seen a write, but not what its writer had read
                        // before
  // Of any history.
  impossible_version,  // newer than anything that anyone can have written: an answer to somebody else's
                       // question
  lost_write,  // two acknowledged writes got one version, or the final version is below an acknowledged one
  // Of all users together, against what had ended anywhere when the operation started: linearizability.
  behind_acknowledged,  // a read older than a write that had been acknowledged
  behind_read,          // a read older than what somebody had read
  write_out_of_order,   // a write got a version that had been passed or shown before it was begun
  // Of a bound of staleness.
  over_bound,  // a read older than a write that had been acknowledged longer ago than the bound
};
inline constexpr std::size_t violation_kinds = 9;

std::string_view name_of(ViolationKind kind);

struct Violation {
  ViolationKind kind{};
  Operation operation;             // what is wrong; for lost_write the write that was lost
  std::int64_t required{};         // the version it had to have at least (impossible_version: at most)
  std::optional<Operation> cause;  // where `required` comes from
  // The write that made `required`, if it was not acknowledged yet when the wrong read ended.
  std::optional<Operation> origin;
};

// One line: who, which key, which versions, which nodes, when (relative to `origin`, ns).
std::string describe(const Violation& violation, std::int64_t origin = 0);

}  // namespace tidemark::consistency
