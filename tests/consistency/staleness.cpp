#include "tests/consistency/staleness.hpp"

#include <algorithm>

namespace tidemark::consistency {

void Staleness::on_start(OpenOperation& open, const KeyLedger& ledger) {
  const Operation& read = open.operation;
  if (!first_) first_ = read.start;
  std::optional<std::int64_t> passed = ledger.passed_at(std::max(read.version, ledger.initial()));
  if (read.version < ledger.initial()) passed = std::min(*first_, passed.value_or(*first_));
  if (!passed) return;
  const std::int64_t age = read.start - *passed;
  ++reads_behind_;
  max_ = std::max(max_, age);
  if (!bound_ || age <= *bound_) return;
  const std::int64_t required = ledger.acknowledged_before(read.start - *bound_);
  open.suspected.push_back(
      {ViolationKind::over_bound, read, required, ledger.write_of(required), std::nullopt});
}

}  // namespace tidemark::consistency
