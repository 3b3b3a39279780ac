#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tidemark::consistency {

enum class StepKind : std::uint8_t {
  prepare_read,
  prepare_write,
  set,         // `text`, a SET statement
  show_token,  // SHOW tidemark.token
  set_token,   // SET tidemark.token to `text`
  begin,
  begin_read_only,
  read,
  write,
  commit,
  rollback,
};

struct Step {
  StepKind kind{};
  std::uint32_t key{};
  std::string text;
};

// What one connection does before its user thinks again: statements one by one, or all at once with one Sync.
// At most one of them is a write.
struct Unit {
  std::vector<Step> steps;
  bool pipelined = false;
};

}  // namespace tidemark::consistency
