#include "routing/timeline_history.hpp"

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <system_error>
#include <utility>

namespace tidemark::routing {
namespace {

constexpr std::string_view kBlanks = " \t\r\v\f\n";

std::string_view without_leading_blanks(std::string_view text) {
  return text.substr(std::min(text.find_first_not_of(kBlanks), text.size()));
}

/// "5<TAB>0/3000158<TAB>reason"; what follows the position is for people.
std::optional<TimelineSwitch> parse_line(std::string_view line) {
  TimelineSwitch found;
  const char* const end = line.data() + line.size();
  const auto [number_end, error] = std::from_chars(line.data(), end, found.timeline.value);
  if (error != std::errc{} || found.timeline.value == 0) return std::nullopt;
  const std::string_view rest = line.substr(static_cast<std::size_t>(number_end - line.data()));
  const std::string_view fields = without_leading_blanks(rest);
  if (fields.size() == rest.size()) return std::nullopt;  // nothing separates the two
  const std::size_t lsn_end = fields.find_first_of(kBlanks);
  if (lsn_end == std::string_view::npos) return std::nullopt;  // digits may have been cut off
  const auto lsn = parse_lsn(fields.substr(0, lsn_end));
  if (!lsn) return std::nullopt;
  found.end = *lsn;
  return found;
}

}  // namespace

TimelineHistory::TimelineHistory(std::vector<TimelineSwitch> ancestors) : ancestors_(std::move(ancestors)) {
  if (ancestors_.size() > kMaxAncestors) {
    ancestors_.erase(ancestors_.begin(),
                     ancestors_.begin() + static_cast<std::ptrdiff_t>(ancestors_.size() - kMaxAncestors));
  }
  for (std::size_t i = ancestors_.size(); i > 1; --i) {
    const TimelineSwitch& later = ancestors_[i - 1];
    TimelineSwitch& each = ancestors_[i - 2];
    if (each.end > later.end) each = {each.timeline, later.end, each.exact && later.exact};
  }
}

std::optional<TimelineHistory> TimelineHistory::parse(std::string_view text) {
  if (text.size() > kMaxText) return std::nullopt;
  std::vector<TimelineSwitch> ancestors;
  while (!text.empty()) {
    const std::size_t newline = text.find('\n');
    const std::size_t length = newline == std::string_view::npos ? text.size() : newline + 1;
    const std::string_view line = without_leading_blanks(text.substr(0, length));
    text.remove_prefix(length);
    if (line.empty() || line.front() == '#') continue;
    const auto found = parse_line(line);
    if (!found || (!ancestors.empty() && found->timeline <= ancestors.back().timeline)) return std::nullopt;
    ancestors.push_back(*found);
  }
  return TimelineHistory(std::move(ancestors));
}

TimelineHistory TimelineHistory::followed_by(TimelineId own, const TimelineSwitch& left) const {
  std::vector<TimelineSwitch> ancestors;
  if (own == left.timeline || find(left.timeline) != nullptr) {
    std::copy_if(ancestors_.begin(), ancestors_.end(), std::back_inserter(ancestors),
                 [&](const TimelineSwitch& each) { return each.timeline < left.timeline; });
  }
  ancestors.push_back(left);
  return TimelineHistory(std::move(ancestors));
}

TimelineHistory::Place TimelineHistory::locate(TimelineId timeline, Lsn lsn) const {
  const TimelineSwitch* const found = find(timeline);
  if (found == nullptr) return Place::unknown;
  if (lsn <= found->end) return Place::contained;
  return found->exact ? Place::lost : Place::unknown;
}

bool TimelineHistory::fits(TimelineId timeline) const {
  if (timeline.value <= 1 || ancestors_.empty()) return timeline.value == 1 && ancestors_.empty();
  return ancestors_.back().timeline < timeline;
}

bool TimelineHistory::is_exact() const {
  return std::all_of(ancestors_.begin(), ancestors_.end(),
                     [](const TimelineSwitch& each) { return each.exact; });
}

const TimelineSwitch* TimelineHistory::find(TimelineId timeline) const {
  const auto found = std::find_if(ancestors_.begin(), ancestors_.end(),
                                  [&](const TimelineSwitch& each) { return each.timeline == timeline; });
  return found == ancestors_.end() ? nullptr : &*found;
}

}  // namespace tidemark::routing
