#include "tests/consistency/guarantee.hpp"

#include <charconv>
#include <system_error>
#include <utility>

namespace tidemark::consistency {
namespace {

constexpr Level levels[] = {Level::eventual,         Level::bounded_staleness, Level::monotonic_reads,
                            Level::read_your_writes, Level::session,           Level::strong};

std::optional<std::int64_t> parse_duration(std::string_view text) {
  double value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || value < 0) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  constexpr std::pair<std::string_view, double> units[] = {
      {"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}};
  for (const auto& [unit, nanoseconds] : units)
    if (text == unit) return static_cast<std::int64_t>(value * nanoseconds);
  return std::nullopt;
}

}  // namespace

std::string_view name_of(Level level) {
  switch (level) {
    case Level::eventual:
      return "eventual";
    case Level::bounded_staleness:
      return "bounded_staleness";
    case Level::monotonic_reads:
      return "monotonic_reads";
    case Level::read_your_writes:
      return "read_your_writes";
    case Level::session:
      return "session";
    case Level::strong:
      return "strong";
  }
  return "?";
}

bool forbids(const Guarantee& guarantee, ViolationKind kind) {
  const Level level = guarantee.level;
  const bool strong = level == Level::strong;
  switch (kind) {
    case ViolationKind::impossible_version:
    case ViolationKind::lost_write:
      return true;
    case ViolationKind::stale_read:
      return strong || level == Level::session || level == Level::read_your_writes;
    case ViolationKind::step_back:
    // A state that shows the effect holds the cause: who is then shown less has been taken back.
    case ViolationKind::effect_before_cause:
      return strong || level == Level::session || level == Level::monotonic_reads;
    case ViolationKind::behind_acknowledged:
    case ViolationKind::behind_read:
    case ViolationKind::write_out_of_order:
      return strong;
    case ViolationKind::over_bound:
      return level == Level::bounded_staleness;
  }
  return true;
}

std::optional<Guarantee> parse_guarantee(std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  for (const Level level : levels) {
    if (name != name_of(level)) continue;
    if ((level == Level::bounded_staleness) != (equals != std::string_view::npos)) return std::nullopt;
    if (equals == std::string_view::npos) return Guarantee{level, 0};
    const auto bound = parse_duration(text.substr(equals + 1));
    if (!bound) return std::nullopt;
    return Guarantee{level, *bound};
  }
  return std::nullopt;
}

}  // namespace tidemark::consistency
