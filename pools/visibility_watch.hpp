#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "pools/visibility_log.hpp"
#include "routing/cluster_view.hpp"

namespace tidemark::pools {

/// When the primary is read for the questions of a VisibilityLog, and what a reading means for them. One
/// reading at a time, starts at least `least` apart, up to eight times that while readings settle nothing;
/// none later than `patience` after somebody last wanted an answer. Pure; time is an argument.
class VisibilityWatch {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;
  using Duration = std::chrono::steady_clock::duration;

  /// The only writer of `log`, which must outlive it.
  VisibilityWatch(Duration least, Duration patience, VisibilityLog& log)
      : log_(log), least_(least), patience_(patience) {}

  /// Earliest start of the next reading, possibly in the past; nullopt when there is none to start now.
  /// `wanted`: somebody wants a question that is not begun yet.
  [[nodiscard]] std::optional<TimePoint> next_reading(bool wanted, TimePoint now) const;
  /// `primary` is the one to read: what is pending or under way at another one begins anew, if still wanted.
  void follow(routing::NodeId primary);
  /// A reading of the primary is about to be sent; it begins a question if one is wanted. A `wanted` that
  /// other threads set must have been cleared before.
  void started(routing::NodeId primary, bool wanted, TimePoint now);
  /// The reading under way: the transactions that may be committing, and those of them that wait for a
  /// standby. True when sessions that wait have to be told of it.
  bool answered(VisibilityQuestions::Xids xids, VisibilityQuestions::Xids awaiting = {});
  [[nodiscard]] bool under_way(routing::NodeId node) const { return under_way_ && node_ == node; }
  /// The reading under way has no answer, but its server goes on.
  void failed();
  /// `node` was lost, or is not the primary: likewise.
  void forget(routing::NodeId node);

 private:
  void forget();

  VisibilityLog& log_;
  Duration least_;
  Duration patience_;
  VisibilityQuestions questions_;
  std::optional<routing::NodeId> node_;  // all readings since the last forget() are of this one
  bool under_way_ = false;
  std::optional<std::uint64_t> begun_;  // the question that the reading under way begins
  bool begin_again_ = false;            // a question was begun in vain
  std::uint64_t settled_ = 0;
  std::uint64_t read_ = 0;           // the last question that has had its first reading
  std::uint64_t awaiting_from_ = 0;  // as the log has it
  int unsettling_ = 0;               // readings in a row that settled nothing
  std::optional<TimePoint> last_start_;
  std::optional<TimePoint> wanted_until_;
};

}  // namespace tidemark::pools
