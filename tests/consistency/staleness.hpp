#pragma once

#include <cstdint>
#include <optional>

#include "tests/consistency/event_order.hpp"
#include "tests/consistency/key_ledger.hpp"

namespace tidemark::consistency {

// How old reads are. The age of a read is how long before its start the first write that it does not show had
// been acknowledged, whoever wrote; what has not been acknowledged yet makes no read old. What was there
// initially counts as acknowledged when the first read started. Exact.
class Staleness {
 public:
  // Reads older than `bound` (ns) are violations; none: they are only measured.
  explicit Staleness(std::optional<std::int64_t> bound) : bound_(bound) {}

  // A read starts at a time up to which the ledger knows all that has ended.
  void on_start(OpenOperation& open, const KeyLedger& ledger);

  std::int64_t max() const { return max_; }                     // ns
  std::uint64_t reads_behind() const { return reads_behind_; }  // reads of any age at all

 private:
  std::optional<std::int64_t> bound_;
  std::optional<std::int64_t> first_;  // start of the first read
  std::int64_t max_ = 0;
  std::uint64_t reads_behind_ = 0;
};

}  // namespace tidemark::consistency
