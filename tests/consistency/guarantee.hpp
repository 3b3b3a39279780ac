#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tests/consistency/violation.hpp"

namespace tidemark::consistency {

enum class Level : std::uint8_t {
  eventual,
  bounded_staleness,
  monotonic_reads,
  read_your_writes,
  session,
  strong,
};

// What a history is judged by.
struct Guarantee {
  Level level = Level::session;
  std::int64_t bound{};  // ns; of bounded_staleness
};

// Whether a history with such a violation breaks the guarantee. Whatever the level, nobody may be shown what
// nobody wrote, and no acknowledged write may be lost.
bool forbids(const Guarantee& guarantee, ViolationKind kind);

// "session", "bounded_staleness=500ms", …; nothing if it is none.
std::optional<Guarantee> parse_guarantee(std::string_view text);

std::string_view name_of(Level level);

}  // namespace tidemark::consistency
