#pragma once

#include <cstdint>

#include "pools/position_log.hpp"
#include "routing/session_context.hpp"

namespace tidemark::proxy {

/// One of a session's tide marks: a WAL position that bounds from above what it wrote, or has seen. While the
/// position is not learned, the mark holds the number of the last question that was too early to answer it.
/// Pure but for the log it reads. routing/README.md, rules 1, 2 and 5.
class SessionMark {
 public:
  /// Something happened on the primary, and its end has been received; `asked` is PositionLog::asked() read
  /// after that. Before anything of the answer leaves for the client.
  void raise(std::uint64_t asked) {
    kind_ = routing::Floor::Kind::pending;
    ticket_ = asked;
  }
  /// A known bound, such as a replica's position.
  void raise(const routing::WalPosition& position) {
    kind_ = routing::Floor::Kind::known;
    position_ = position;
  }

  /// The mark as decide() takes it. A position of another timeline or cluster than the view's counts as not
  /// learned: the new primary's position bounds all that is left of it.
  [[nodiscard]] routing::Floor floor(const pools::PositionLog& log, const routing::ClusterView& view) {
    if (kind_ == routing::Floor::Kind::pending) {
      if (const auto position = log.after(ticket_)) raise(*position);
    }
    if (kind_ == routing::Floor::Kind::known && view.timeline.value != 0 &&
        (position_.timeline != view.timeline || position_.system_identifier != view.system_identifier)) {
      raise(log.asked());
    }
    return {kind_, position_};
  }

  [[nodiscard]] routing::Floor::Kind kind() const { return kind_; }

 private:
  routing::Floor::Kind kind_ = routing::Floor::Kind::none;
  std::uint64_t ticket_ = 0;
  routing::WalPosition position_;
};

}  // namespace tidemark::proxy
