#include "pools/alert_notices.hpp"

#include <utility>

namespace tidemark::pools {

namespace {
constexpr auto kQuiet = std::chrono::minutes(1);
}  // namespace

std::vector<AlertNotices::Notice> AlertNotices::update(const std::vector<Finding>& findings, TimePoint now) {
  std::vector<Notice> notices;
  std::erase_if(last_told_, [&](const auto& entry) { return now - entry.second >= kQuiet; });
  for (auto& [key, raised] : raised_) raised.present = false;
  for (const Finding& finding : findings) {
    const Key key{finding.alert, finding.node, finding.subject};
    Raised& raised = raised_[key];
    raised.finding = finding;
    raised.present = true;
    if (raised.told || last_told_.contains(key)) continue;
    raised.told = true;
    last_told_[key] = now;
    notices.push_back({true, finding});
  }
  for (auto at = raised_.begin(); at != raised_.end();) {
    if (at->second.present) {
      ++at;
      continue;
    }
    if (at->second.told) notices.push_back({false, std::move(at->second.finding)});
    at = raised_.erase(at);
  }
  return notices;
}

}  // namespace tidemark::pools
