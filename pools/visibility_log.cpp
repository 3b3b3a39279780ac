#include "pools/visibility_log.hpp"

#include <algorithm>

namespace tidemark::pools {

std::uint64_t VisibilityQuestions::observe(const Xids& now) {
  for (Question& question : pending_) {
    std::erase_if(question.open,
                  [&now](std::uint32_t xid) { return !std::binary_search(now.begin(), now.end(), xid); });
  }
  return settle_front();
}

std::uint64_t VisibilityQuestions::begin(std::uint64_t number, const Xids& first) {
  std::uint64_t stands_for = number;
  if (pending_.size() == kMostPending) {
    stands_for = pending_.back().first;
    pending_.pop_back();
  }
  pending_.push_back({stands_for, number, first});
  return settle_front();
}

std::uint64_t VisibilityQuestions::first_kept_open(const Xids& awaiting) const {
  for (const Question& question : pending_) {
    const auto waits = [&](std::uint32_t xid) {
      return std::binary_search(awaiting.begin(), awaiting.end(), xid);
    };
    if (std::any_of(question.open.begin(), question.open.end(), waits)) return question.first;
  }
  return 0;
}

std::uint64_t VisibilityQuestions::settle_front() {
  while (!pending_.empty() && pending_.front().open.empty()) {
    settled_ = pending_.front().number;
    pending_.pop_front();
  }
  return settled_;
}

}  // namespace tidemark::pools
