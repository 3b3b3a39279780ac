#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "proxy/user_marks.hpp"

namespace tidemark::proxy {

/// Names of the keys in Redis. All proxies that share marks have one prefix.
[[nodiscard]] std::string shared_marks_key(std::string_view prefix, std::uint64_t system_identifier,
                                           std::uint64_t user);
[[nodiscard]] std::string shared_epoch_key(std::string_view prefix, std::uint64_t system_identifier);

/// Names of the fields by which the proxy `proxy` (no colons) says that something is under way. A number is
/// used once, so that whoever removes the field removes no later one.
[[nodiscard]] std::string shared_write_field(std::string_view proxy, std::uint64_t number);
[[nodiscard]] std::string shared_node_field(std::string_view proxy, std::uint64_t number,
                                            std::string_view node);

/// Text whose order is that of timeline, then LSN.
[[nodiscard]] std::string print_shared_position(routing::TimelineId timeline, routing::Lsn lsn);

/// What the other proxies have told of one user.
struct SharedHash {
  struct Position {
    routing::TimelineId timeline;
    routing::Lsn lsn;
  };
  struct Shown {
    std::string node;               ///< as configured
    std::int64_t server_start = 0;  ///< in that life; NodeState::server_start
  };
  std::optional<Position> position;  ///< bounds all that has been bounded
  std::vector<Shown> shown;          ///< what has answered the user, and nothing bounds that yet
  bool is_unbounded = false;         ///< a write is under way, or there is something that cannot be read
};

/// `fields`: names and values of the hash. Fields of the proxy `own` are left out: it knows better. Pure.
[[nodiscard]] SharedHash read_shared_hash(
    const std::vector<std::pair<std::string_view, std::string_view>>& fields, std::string_view own);

/// Raises the marks by what the others have told. `known`: a position that has been taken in before, and is
/// not to be taken in again; becomes the new one. Returns whether the primary's position is needed. Pure.
bool merge_shared_hash(const SharedHash& hash, UserMarks& marks, SharedHash::Position& known,
                       const routing::ClusterView& view, std::uint64_t asked, routing::TimePoint now);

}  // namespace tidemark::proxy
