#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "tests/consistency/driver_connection.hpp"
#include "tests/consistency/driver_options.hpp"
#include "tests/consistency/driver_recorder.hpp"
#include "tests/consistency/driver_roles.hpp"

namespace tidemark::consistency {

// How the connections of one user belong together.
enum class Bond : std::uint8_t {
  connection,  // there is one only, and who connects anew is somebody else
  key,         // each says the same key
  token,       // what one has seen is carried to the next as a token
};

struct ActorPlan {
  std::uint32_t user{};  // of its operations
  Role role{};
  Bond bond{};
  std::uint32_t own_key{};
  std::uint32_t lanes = 1;  // how many things it does at once
  std::vector<ConnectionPlan> connections;
};

// One user: whenever it has thought, it does something on one of its connections, chosen at random. The owner
// calls on_ready() and the like for its connections, and advance() afterwards and when due().
class Actor {
 public:
  // `options` and `recorder` must outlive it. `actors`: how many there are; whose bond is lost goes on as
  // another user, whose number is so much higher.
  Actor(ActorPlan plan, std::uint32_t actors, const DriverOptions& options, Recorder& recorder);

  void open(std::int64_t now);
  void advance(std::int64_t now);
  // Nothing new is begun from now on.
  void stop() { stopping_ = true; }
  // Gives up what is still running.
  void abandon(std::int64_t now);

  std::vector<std::unique_ptr<Connection>>& connections() { return connections_; }
  // When advance() is to be called at the latest; 0: never.
  std::int64_t due() const;
  // See Connection.
  std::optional<std::int64_t> oldest_start() const;
  bool done() const;

 private:
  // One thing after the other.
  struct Lane {
    std::optional<std::size_t> connection;  // on which something runs
    std::deque<Unit> units;                 // what comes next there
    bool fetching = false;                  // what runs is the question for the token
    std::size_t target = 0;                 // of a fetched token
    std::int64_t due = 0;                   // when the next thing may begin
  };
  static constexpr std::size_t nowhere = static_cast<std::size_t>(-1);

  void reopen(std::int64_t now);
  void go_on(Lane& lane, std::int64_t now);
  void begin(Lane& lane);
  void run(Lane& lane, std::size_t connection);
  void notice_lost_bond();
  void become_another();
  // A connection that is idle and that no lane uses, at random.
  std::optional<std::size_t> choose();
  bool in_use(std::size_t connection) const;

  const ActorPlan plan_;
  const std::uint32_t actors_;
  Recorder& recorder_;
  RolePlayer role_;
  std::vector<std::unique_ptr<Connection>> connections_;
  std::vector<std::int64_t> reopen_at_;  // 0: not to be opened
  std::vector<Lane> lanes_;
  std::uint32_t user_;
  bool stopping_ = false;
  // Of a bond by token, and of one by connection: where all that the user knows is known, and in which life.
  std::size_t holder_ = nowhere;
  std::uint32_t holder_life_ = 0;
};

}  // namespace tidemark::consistency
