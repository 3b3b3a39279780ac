#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "proxy/shared_user.hpp"
#include "proxy/tide_mark.hpp"
#include "routing/decide.hpp"
#include "routing/level_choice.hpp"

namespace tidemark::proxy {

/// Where a level of consistency comes from: the first of these that speaks of it counts (routing/README.md,
/// "Which level").
enum class LevelSource : std::uint8_t {
  hint,       ///< a comment in the statement
  set,        ///< SET, SET LOCAL, or a startup option
  rule,       ///< a [[routing.rule]]
  standard,   ///< routing.consistency
  redis_gone  ///< what was asked for needs marks that cannot be had
};

/// What is asked for, for one unit, and what has been learned for it.
struct UnitRoute {
  routing::ConsistencyLevel level = routing::ConsistencyLevel::session;
  LevelSource source = LevelSource::standard;
  bool user_is_hinted = false;
  bool strong_asked = false;  ///< `strong` has been asked for
  /// The primary shows by now what replicas had shown, or that took too long.
  bool settled = false;
  bool is_particular = false;  ///< something of what its texts ask for is set
  routing::StalenessBound max_staleness;
  std::uint64_t user = 0;               ///< key of the user; 0: the connection is the user
  std::uint64_t accounted = 0;          ///< UserMarks::answers() as of the last decision
  std::uint64_t settled_answers = 0;    ///< UserMarks::answers() of which `settled` is true
  bool marks_asked = false;             ///< the other proxies, for what they know of the user
  bool marks_failed = false;            ///< … in vain, or what the unit does could not be announced
  std::uint32_t marks_awaited = 0;      ///< answers of Redis
  std::string_view answer_then;         ///< the unit is a command that is answered then, with this tag
  std::uint64_t marks_ticket = 0;       ///< … with this ticket
  std::uint64_t visibility_ticket = 0;  ///< VisibilityLog::asked() when it was asked for
  bool visibility_is_late = false;      ///< only a commit that waits for a standby is waited for any more
  TideMark strong;                      ///< what the primary had when the unit had arrived
  const std::string* rule = nullptr;    ///< name of the rule that gave the level
  bool replay = false;                  ///< its transaction may be executed again elsewhere

  // What its texts ask for.
  std::optional<routing::LevelChoice> chosen;           ///< by rules
  std::optional<routing::ConsistencyLevel> hinted;      ///< by comments
  std::optional<std::chrono::nanoseconds> hinted_time;  ///< … the bound that belongs to it
  std::optional<std::uint64_t> hinted_bytes;

  /// For the next unit, of a session whose user is `key`.
  void begin(std::uint64_t key) {
    user = key;
    source = LevelSource::standard;
    strong_asked = settled = user_is_hinted = marks_asked = marks_failed = visibility_is_late = false;
    marks_awaited = 0;
    marks_ticket = 0;
    answer_then = {};
    if (!is_particular) [[likely]]
      return;
    is_particular = false;
    rule = nullptr;
    chosen.reset();
    hinted.reset();
    hinted_time.reset();
    hinted_bytes.reset();
  }
};

/// A field of a user's that a session relies on; see SharedUser.
struct HeldField {
  std::uint64_t user = 0;
  SharedUser::Subject subject;
  std::uint64_t number = 0;
};

/// Where the last statement of a session went, and why: SHOW tidemark.last_route.
struct LastRoute {
  bool known = false;  ///< false: nothing was sent yet
  bool is_read = false;
  routing::NodeId node{};
  routing::Reason reason = routing::Reason::write;
  routing::ConsistencyLevel level = routing::ConsistencyLevel::session;
  LevelSource source = LevelSource::standard;
  const std::string* rule = nullptr;
  std::chrono::nanoseconds waited{};  ///< from its arrival until it was sent
};

/// "strong (hint)", "session (routing.consistency)".
[[nodiscard]] std::string describe_level(routing::ConsistencyLevel level, LevelSource source,
                                         const std::string* rule);
/// One line for people.
[[nodiscard]] std::string describe_route(const LastRoute& route, const routing::ClusterView& view);

}  // namespace tidemark::proxy
