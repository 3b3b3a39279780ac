#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "tests/consistency/event_order.hpp"
#include "tests/consistency/history.hpp"
#include "tests/consistency/key_ledger.hpp"

namespace tidemark::consistency {

// Whether what all users together saw of one key can have happened one after the other in real time.
//
// Exact, given that versions are known: let version v be made at a moment t(v). An acknowledged write of v
// puts t(v) between its start and its end, a read of v puts it before the read's end and t(v+1) after the
// read's start, and a version that no acknowledged write has got is made by some unknown write after its
// start. Such increasing moments exist exactly if no operation starts after the end of one that showed more
// (for a write: as much), no version is acknowledged twice, and each version was `possible` to the ledger
// when it was first shown.
class RealTimeOrder {
 public:
  // Notes what speaks against a read or write that starts.
  void on_start(OpenOperation& open, const KeyLedger& ledger) const;
  // A read or acknowledged write of a possible version ends.
  void on_end(const Operation& operation);

  // The acknowledged write of the highest version that has ended.
  const std::optional<Operation>& written() const { return written_; }

 private:
  std::optional<Operation> written_;
  std::optional<Operation> read_;
};

// The same for a whole history of one key, at once. O(n log n).
bool linearizable(std::span<const Operation> operations, std::int64_t initial);

}  // namespace tidemark::consistency
