#pragma once

#include <cstdint>
#include <optional>

#include "proxy/tide_mark.hpp"

namespace tidemark::proxy {

/// What may be gone with a timeline that has ended.
struct Loss {
  bool written = false;  ///< an acknowledged write of the user's; else something that the user has seen
  std::optional<routing::WalPosition> position;     ///< the mark; none: it was not learned in time
  std::optional<routing::TimelineSwitch> branched;  ///< where that timeline's descendants left it, if known
  routing::TimelineId timeline;                     ///< of the primary now
};

/// All that is remembered of one user: a client connection, or whoever a key names. Pure but for the log.
/// routing/README.md, rules 5, 7 and 9.
class UserMarks {
 public:
  using TimePoint = routing::TimePoint;

  /// Whether nothing has to be remembered.
  [[nodiscard]] bool empty() const {
    return written_.kind() == routing::Floor::Kind::none && seen_.kind() == routing::Floor::Kind::none &&
           required_.kind() == routing::Floor::Kind::none &&
           uncertain_.kind() == routing::Floor::Kind::none && shown_.empty();
  }

  // Before anything of an answer leaves for the client. Arguments as TideMark::raise takes them.
  void wrote(std::uint64_t asked, routing::TimelineId timeline, TimePoint now,
             pools::PositionBound bound = pools::PositionBound::inserted,
             TimePoint connected = TimePoint::max()) {
    written_.raise(asked, timeline, now, bound, connected);
    came_on(timeline);
  }
  /// Something may have been written, or seen, of which nobody was told: it is a floor, and cannot be lost.
  void may_have_acted(std::uint64_t asked, TimePoint now) { uncertain_.raise(asked, {}, now); }
  void saw_primary(std::uint64_t asked, routing::TimelineId timeline, TimePoint now,
                   pools::PositionBound bound = pools::PositionBound::inserted,
                   TimePoint connected = TimePoint::max()) {
    seen_.raise(asked, timeline, now, bound, connected);
    came_on(timeline);
  }
  /// `accounted` is answers() as of the decision by which the read was sent: what was shown until then is in
  /// what this replica shows.
  /// `timeline` is the view's by which it was sent.
  void saw_replica(const routing::LastReplica& replica, std::uint64_t accounted,
                   routing::TimelineId timeline) {
    ahead_ = true;
    came_on(timeline);
    if (shown_.size() != 1 || shown_.front().node != replica.node ||
        shown_.front().incarnation != replica.incarnation) [[unlikely]] {
      forget_replaced(replica, accounted);
    }
    shown_.front() = replica;
    shown_.front().order = ++answers_;
  }
  /// The primary has shown all that replicas had shown up to `accounted`.
  void replicas_are_settled(std::uint64_t accounted);
  /// The primary's position, asked after `asked`, bounds all that replicas have shown.
  void leave_replicas(std::uint64_t asked, routing::TimelineId timeline, TimePoint now);
  /// A floor from elsewhere: a token, another process.
  void require(const routing::WalPosition& position, TimePoint now);
  /// Other processes may have done anything for the user: `asked`, read now, bounds it as for
  /// TideMark::raise.
  void unknown_elsewhere(std::uint64_t asked, TimePoint now);
  /// Another process has shown something of this replica, until `replica.at`.
  void saw_replica_elsewhere(const routing::LastReplica& replica);
  /// All that `other` requires, too.
  void add(const UserMarks& other, const pools::PositionLog& log, std::uint64_t asked, TimePoint now);

  /// Sets what decide() is to know of the user.
  void describe(routing::SessionContext& context, const pools::PositionLog& log);
  [[nodiscard]] std::uint64_t answers() const { return answers_; }
  /// What a replica has shown, here or elsewhere, the primary may not show yet (rule 11).
  [[nodiscard]] bool may_be_ahead_of_primary() const { return ahead_; }
  /// Some replica's answer is bounded by no position yet.
  [[nodiscard]] bool has_open_replicas() const { return !shown_.empty(); }
  /// The primary's position is waited for.
  [[nodiscard]] bool is_pending() const {
    using Kind = routing::Floor::Kind;
    return written_.kind() == Kind::pending || seen_.kind() == Kind::pending ||
           uncertain_.kind() == Kind::pending;
  }
  /// What other processes have to know.
  struct ToShare {
    bool written_is_pending = false;
    bool seen_is_pending = false;
    routing::WalPosition position;  ///< the highest of those that are known; timeline 0: none is
  };
  [[nodiscard]] ToShare to_share(const pools::PositionLog& log);
  /// No position bounds yet what this node has shown.
  [[nodiscard]] bool holds_open(routing::NodeId node) const;
  /// One position that bounds everything; nullopt while something is pending, or only replicas know it. A
  /// position of timeline 0: nothing is required.
  [[nodiscard]] std::optional<routing::WalPosition> bound(const pools::PositionLog& log);

  struct Judgement {
    enum class Kind : std::uint8_t {
      kept,
      lost,     ///< the marks go on from the new primary's position
      unclear,  ///< an observation of `ask` will tell
    };
    Kind kind = Kind::kept;
    routing::NodeId ask{};
    Loss loss;
  };
  /// After the view's timeline has changed: whether it has all that the marks stand for. `monotonic`: what
  /// was only seen counts, too. `patient`: unclear is an answer; else doubt is a loss. `lossless` as for
  /// TideMark::may_be_lost. Cheap if nothing changed.
  [[nodiscard]] Judgement judge(const routing::ClusterView& view, const pools::PositionLog& log,
                                bool monotonic, bool patient, TimePoint now, bool lossless = false) {
    if (judged_ == view.timeline) [[likely]]
      return {};
    return judge_anew(view, log, monotonic, patient, now, lossless);
  }

 private:
  /// Something new of `timeline` (0: of none): what was judged on a later one must be judged again.
  void came_on(routing::TimelineId timeline) {
    if (timeline < judged_ && timeline.value != 0) [[unlikely]]
      judged_ = {};
  }
  /// Leaves one place at the front for `replica`.
  void forget_replaced(const routing::LastReplica& replica, std::uint64_t accounted);
  Judgement judge_anew(const routing::ClusterView& view, const pools::PositionLog& log, bool monotonic,
                       bool patient, TimePoint now, bool lossless);

  TideMark written_;
  TideMark seen_;
  TideMark uncertain_;
  TideMark required_;  ///< always known; may be of a timeline that the view has not come to
  routing::ShownBy shown_;
  std::uint64_t answers_ = 0;  ///< of replicas, so far
  bool ahead_ = false;
  routing::TimelineId judged_;  ///< all marks are on it, or on the way to it
};

}  // namespace tidemark::proxy
