#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace tidemark::soak {

/// What all clients did and saw. One thread.
struct Tally {
  std::map<std::string, std::uint64_t> operations;   ///< by name, those that ended as they should
  std::map<std::string, std::uint64_t> errors;       ///< asked for, by SQLSTATE
  std::map<std::string, std::uint64_t> interrupted;  ///< not asked for but allowed, by SQLSTATE
  std::map<std::string, std::uint64_t> farewells;    ///< how and where clients left
  std::uint64_t answers_checked = 0;
  std::uint64_t connections = 0;
  std::uint64_t cancels_sent = 0;
  std::uint64_t cancels_hit = 0;
  std::uint64_t cancels_missed = 0;
  std::uint64_t cancels_in_vain = 0;  ///< with nothing to cancel, or with a key that nobody has
  std::uint64_t queue_notices = 0;    ///< that a client waits for long
  double longest_wait = 0;            ///< seconds
  std::uint64_t wrong = 0;
  std::uint64_t stuck = 0;
  std::uint64_t lost = 0;
  std::map<std::string, std::uint64_t> wrong_by_operation;
  std::vector<std::string> findings;  ///< the first ones, in words

  void note(std::string text) {
    if (findings.size() < 40) findings.push_back(std::move(text));
  }
};

/// One JSON object.
[[nodiscard]] std::string to_json(const Tally& tally, double seconds);

}  // namespace tidemark::soak
