#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <unordered_map>

#include "tests/consistency/event_order.hpp"
#include "tests/consistency/history.hpp"

namespace tidemark::consistency {

// What each user is entitled to see: reads are judged against the operations of their user, on all of its
// connections, that had ended when they started. Exact, but for what note of causes is kept (KeyLedger).
class SessionGuarantees {
 public:
  // `soon` (ns): how close to the end of an own write a read has to start to count as soon after it.
  explicit SessionGuarantees(std::int64_t soon) : soon_(soon) {}

  // Notes what a read is looked at for and what speaks against it.
  void on_start(OpenOperation& open);
  // What the user of a starting write had read last, if that was of another key.
  std::optional<Operation> cause_of(const Operation& write) const;
  // Whether the user was told of lost writes while this operation ran, so that it is bound by nothing.
  bool excused(const Operation& operation) const;
  // A read or acknowledged write ends and raises floors; `cause` is what the writer of the version that was
  // read had read before, or nullptr. Or lost_write_told, which ends the user's floors.
  void on_end(const OpenOperation& ended, const Operation* cause);

 private:
  struct Floor {
    std::optional<Operation> written;
    std::optional<Operation> seen;
    std::optional<Operation> implied;  // a read by the writer of something that this user has seen
    std::int64_t begun_at_seen{};      // writes of the key begun before `seen` started
  };
  struct User {
    std::unordered_map<std::uint32_t, Floor> floors;
    std::optional<Operation> last_read;
    // Operations that started before the user was told may have seen what is lost.
    std::int64_t told = std::numeric_limits<std::int64_t>::min();
    std::uint32_t being_told = 0;
  };

  const std::int64_t soon_;
  std::unordered_map<std::uint32_t, User> users_;
};

}  // namespace tidemark::consistency
