#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "routing/wal_position.hpp"

namespace tidemark::routing {

/// Where a timeline ended for those that descend from it. Manual: "Continuous Archiving", Timelines.
struct TimelineSwitch {
  TimelineId timeline;
  Lsn end;            ///< what stands before this byte is on the way to the descendant
  bool exact = true;  ///< false: the end may be further; of what stands behind `end` nothing is known
  friend bool operator==(const TimelineSwitch&, const TimelineSwitch&) = default;
};

/// The ancestors of one timeline. Bounded: of more than kMaxAncestors the latest.
class TimelineHistory {
 public:
  static constexpr std::size_t kMaxAncestors = 1000;
  /// Bytes of a history file that are read; a longer one is refused.
  static constexpr std::size_t kMaxText = std::size_t{1} << 20U;

  enum class Place : std::uint8_t {
    contained,  ///< the timeline has it
    lost,       ///< it stands behind the point where the timeline's history leaves it
    unknown,    ///< no ancestor that is known, or behind an end that is not exact
  };

  TimelineHistory() = default;
  /// `ancestors` from the oldest to the latest, timelines ascending. An end behind that of a later ancestor
  /// is taken back to it: who left the later one there has nothing of what stands behind.
  explicit TimelineHistory(std::vector<TimelineSwitch> ancestors);

  /// The content of a timeline history file (PostgreSQL: access/transam/timeline.c, readTimeLineHistory);
  /// nullopt if it makes no sense. Empty text: a timeline without ancestors.
  [[nodiscard]] static std::optional<TimelineHistory> parse(std::string_view text);

  /// The history of a timeline that began where its first server left another one, at `left`. This is the
  /// history of timeline `own`, from which the ancestors before left.timeline are taken if it has been there.
  [[nodiscard]] TimelineHistory followed_by(TimelineId own, const TimelineSwitch& left) const;

  /// Where `lsn` of `timeline` is, which is not the history's own timeline.
  [[nodiscard]] Place locate(TimelineId timeline, Lsn lsn) const;
  /// Whether it can be the history of `timeline`: that of timeline 1 is empty, others' end before it.
  [[nodiscard]] bool fits(TimelineId timeline) const;
  [[nodiscard]] bool is_exact() const;
  [[nodiscard]] const std::vector<TimelineSwitch>& ancestors() const { return ancestors_; }
  friend bool operator==(const TimelineHistory&, const TimelineHistory&) = default;

 private:
  [[nodiscard]] const TimelineSwitch* find(TimelineId timeline) const;

  std::vector<TimelineSwitch> ancestors_;
};

}  // namespace tidemark::routing
