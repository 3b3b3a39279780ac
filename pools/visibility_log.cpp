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
  if (pending_.size() == kMostPending) pending_.pop_back();
  pending_.push_back({number, first});
  return settle_front();
}

std::uint64_t VisibilityQuestions::settle_front() {
  while (!pending_.empty() && pending_.front().open.empty()) {
    settled_ = pending_.front().number;
    pending_.pop_front();
  }
  return settled_;
}

}  // namespace tidemark::pools
