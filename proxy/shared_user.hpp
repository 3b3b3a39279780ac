#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/container/inlined_vector.h>

#include "proxy/shared_marks.hpp"

namespace tidemark::proxy {

/// What this process has told, and has to tell, the others of one user: its fields in the user's hash. A
/// field is held by the sessions that rely on it, from before they send until the marks have been raised by
/// what came of it. Pure: time and the numbers of Redis' lives are arguments.
class SharedUser {
 public:
  using TimePoint = routing::TimePoint;

  /// What a field announces: a write, or (with a name) that a node shows something.
  struct Subject {
    std::string node;
    routing::NodeId id{};
    std::int64_t server_start = 0;
    [[nodiscard]] bool is_write() const { return node.empty(); }
    friend bool operator==(const Subject&, const Subject&) = default;
  };
  struct Field {
    std::uint64_t number = 0;
    Subject subject;
    std::uint64_t life = 0;       ///< of Redis, in which it was acknowledged; 0: it was not
    TimePoint acknowledged_at{};  ///< when the question was sent that was acknowledged
    std::uint32_t holders = 0;
    std::uint32_t in_flight = 0;  ///< times that it was sent and not answered
    bool is_going = false;        ///< its removal may be under way: nobody relies on it any more
  };

  /// Makes sure that there is a field and holds it; its number.
  std::uint64_t hold(const Subject& subject, std::uint64_t next_number);
  void release(std::uint64_t number);
  /// Whether others can see the field for a while yet; sent before `stale` it has to be sent again.
  [[nodiscard]] bool is_there(std::uint64_t number, std::uint64_t life, TimePoint stale) const;
  void sent(std::uint64_t number);
  /// `life` 0: it failed, and may have been carried out.
  void answered(std::uint64_t number, std::uint64_t life, TimePoint sent_at);

  /// What there is to do now.
  struct Work {
    bool publish = false;
    SharedHash::Position position;  ///< timeline 0: none
    std::vector<Field> remove;      ///< are forgotten here by now
    std::vector<Field> announce;    ///< those that others ought to see and cannot, or not for long
    bool unfinished = false;        ///< more to do later
    bool needs_position = false;    ///< … when the primary has told its position
  };
  Work work(UserMarks& marks, const pools::PositionLog& log, std::uint64_t life, TimePoint stale);
  /// What work() said has not been told, or nobody knows.
  void not_published(std::vector<Field> removed);

  SharedHash::Position taken;  ///< position of the others that the marks have taken in
  /// Redis' life in which all that was done before it is bounded by the marks.
  std::uint64_t settled_life = 0;

 private:
  [[nodiscard]] Field* find(std::uint64_t number);

  absl::InlinedVector<Field, 2> fields_;
  SharedHash::Position published_;
};

}  // namespace tidemark::proxy
