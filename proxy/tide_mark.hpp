#pragma once

#include <algorithm>
#include <cstdint>

#include "pools/position_log.hpp"
#include "routing/session_context.hpp"

namespace tidemark::proxy {

/// A WAL position that bounds from above what a user wrote, or has seen. While the position is not learned,
/// the mark holds the number of the last question that was too early to answer it. Pure but for the log it
/// reads. routing/README.md, rules 1, 2, 5 and 9.
class TideMark {
 public:
  using TimePoint = routing::TimePoint;

  /// Something happened on the primary of `timeline`, and its end has been received; `asked` is
  /// PositionLog::asked() read after that. Before anything of the answer leaves for the client. Timeline 0:
  /// it is not known to have happened, so nothing of it can be lost. `bound`: what bounds it from above, and
  /// with it all that this connection did before; what other connections of the user did it need not bound.
  /// `connected`: when the server connection over which it happened was established; the maximum: unknown.
  void raise(std::uint64_t asked, routing::TimelineId timeline, TimePoint now,
             pools::PositionBound bound = pools::PositionBound::inserted,
             TimePoint connected = TimePoint::max()) {
    const bool pending_on_it = kind_ == routing::Floor::Kind::pending && made_on_ == timeline;
    connected_ = pending_on_it ? std::max(connected_, connected) : connected;
    const bool inserted = kind_ == routing::Floor::Kind::pending && bound_ == pools::PositionBound::inserted;
    bound_ = inserted ? pools::PositionBound::inserted : bound;
    if (kind_ == routing::Floor::Kind::none) position_ = unproven_ = {};
    kind_ = routing::Floor::Kind::pending;
    ticket_ = asked;
    made_on_ = timeline;
    raised_at_ = now;
  }

  /// A known bound that the primary of the view's timeline, or of one before it, has reached already: what is
  /// pending will be answered with no less.
  void raise(const routing::WalPosition& position, TimePoint now) {
    if (kind_ == routing::Floor::Kind::pending) {
      if (bound_ == pools::PositionBound::flushed && is_behind(position)) position_ = unproven_ = position;
      return;
    }
    if (kind_ == routing::Floor::Kind::known && !is_behind(position)) return;
    kind_ = routing::Floor::Kind::known;
    position_ = unproven_ = position;
    made_on_ = position.timeline;
    raised_at_ = now;
  }

  /// The mark as decide() takes it.
  [[nodiscard]] routing::Floor floor(const pools::PositionLog& log) {
    if (kind_ == routing::Floor::Kind::pending) {
      if (const auto position = log.after(ticket_, bound_)) {
        kind_ = routing::Floor::Kind::known;
        if (bound_ == pools::PositionBound::inserted) unproven_ = *position;
        if (bound_ == pools::PositionBound::inserted || is_behind(*position)) position_ = *position;
      }
    }
    return {kind_, position_, raised_at_};
  }

  /// Whether the view's timeline may lack it: what was written, or seen, may be lost. `lossless`: whoever is
  /// promoted has all whose commits are known to have been synchronous (cluster.lossless_failover): the rest
  /// alone counts.
  [[nodiscard]] bool may_be_lost(const pools::PositionLog& log, const routing::ClusterView& view,
                                 bool lossless = false) {
    const auto now = floor(log);
    if (now.kind == routing::Floor::Kind::none || made_on_.value == 0) return false;
    if (lossless && bound_ == pools::PositionBound::flushed) return lacks(view, unproven_);
    // Never learned, or only when another primary was asked.
    if (now.kind == routing::Floor::Kind::pending || made_on_ < position_.timeline)
      return made_on_ < view.timeline && !view.was_handed_over(made_on_, connected_);
    return lacks(view, position_);
  }

  [[nodiscard]] routing::Floor::Kind kind() const { return kind_; }
  /// Known, and learned from the primary of the timeline on which it was raised.
  [[nodiscard]] bool is_of_its_timeline() const {
    return kind_ == routing::Floor::Kind::known && position_.timeline == made_on_;
  }
  /// Valid while known.
  [[nodiscard]] const routing::WalPosition& position() const { return position_; }

 private:
  /// Timeline 0: there is no such position.
  [[nodiscard]] static bool lacks(const routing::ClusterView& view, const routing::WalPosition& position) {
    return position.timeline.value != 0 && position.timeline < view.timeline &&
           view.history.locate(position.timeline, position.lsn) != routing::TimelineHistory::Place::contained;
  }
  [[nodiscard]] bool is_behind(const routing::WalPosition& position) const {
    return position.timeline != position_.timeline ? position_.timeline < position.timeline
                                                   : position_.lsn < position.lsn;
  }

  routing::Floor::Kind kind_ = routing::Floor::Kind::none;
  pools::PositionBound bound_ = pools::PositionBound::inserted;
  routing::TimelineId made_on_;  ///< of the primary that it happened on
  std::uint64_t ticket_ = 0;
  routing::WalPosition position_;  ///< while pending: the bound is no less
  routing::WalPosition
      unproven_;  ///< bounds all that is known, and whose commit may not have been synchronous
  TimePoint raised_at_{};
  TimePoint connected_ = TimePoint::max();  ///< the latest of those that are pending
};

}  // namespace tidemark::proxy
