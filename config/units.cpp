#include "config/units.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <limits>
#include <optional>
#include <span>
#include <system_error>

#include "config/nearest.hpp"
#include "config/text.hpp"

namespace tidemark::config {
namespace {

struct Unit {
  std::string_view name;
  std::int64_t factor;
};

constexpr std::array<Unit, 5> duration_units = {{{"us", 1'000},
                                                 {"ms", 1'000'000},
                                                 {"s", 1'000'000'000},
                                                 {"min", 60'000'000'000},
                                                 {"h", 3'600'000'000'000}}};
constexpr std::array<Unit, 4> size_units = {
    {{"B", 1}, {"kB", 1'024}, {"MB", 1'048'576}, {"GB", 1'073'741'824}}};

std::string names(std::span<const Unit> units, std::string_view word) {
  std::vector<std::string_view> all;
  all.reserve(units.size());
  for (const Unit& unit : units) all.push_back(unit.name);
  std::string text;
  for (const std::string_view name : by_distance(word, all)) {
    if (!text.empty()) text += ", ";
    text += name;
  }
  return text;
}

std::variant<std::int64_t, BadUnit> parse(std::string_view text, std::span<const Unit> units) {
  if (text.empty()) return BadUnit{"it is empty"};
  if (text.front() == '-') return BadUnit{"it must not be negative"};
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::invalid_argument) return BadUnit{"it must begin with a whole number"};
  if (error != std::errc{}) return BadUnit{"it is too large"};
  std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  if (!rest.empty() && (rest.front() == '.' || rest.front() == ',')) {
    return BadUnit{"fractions are not allowed, take a smaller unit"};
  }
  while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
  if (rest.empty()) {
    if (number == 0) return std::int64_t{0};
    return BadUnit{"the unit is missing (" + names(units, rest) + ")"};
  }
  for (const Unit& unit : units) {
    if (unit.name != rest) continue;
    if (number > std::numeric_limits<std::int64_t>::max() / unit.factor) return BadUnit{"it is too large"};
    return number * unit.factor;
  }
  return BadUnit{"unknown unit " + in_quotes(rest) + ", allowed are " + names(units, rest)};
}

std::optional<std::string> print(std::int64_t value, std::span<const Unit> units) {
  for (std::size_t i = units.size(); i-- > 0;) {
    if (value % units[i].factor == 0) {
      return std::to_string(value / units[i].factor) + std::string(units[i].name);
    }
  }
  return std::nullopt;
}

}  // namespace

std::variant<std::chrono::nanoseconds, BadUnit> parse_duration(std::string_view text) {
  auto parsed = parse(text, duration_units);
  if (const auto* bad = std::get_if<BadUnit>(&parsed)) return *bad;
  return std::chrono::nanoseconds(std::get<std::int64_t>(parsed));
}

std::variant<std::int64_t, BadUnit> parse_size(std::string_view text) {
  return parse(text, size_units);
}

std::optional<std::uint32_t> parse_permissions(std::string_view text) {
  if (text.size() == 4 && text.front() == '0') text.remove_prefix(1);
  if (text.size() != 3 || text.find_first_not_of("01234567") != std::string_view::npos) return std::nullopt;
  std::uint32_t mode = 0;
  for (const char digit : text) mode = mode * 8 + static_cast<std::uint32_t>(digit - '0');
  return mode;
}

std::string print_duration(std::chrono::nanoseconds value) {
  if (value.count() == 0) return "0s";
  return print(value.count(), duration_units).value_or(std::to_string(value.count()) + "ns");
}

std::string print_size(std::int64_t bytes) {
  if (bytes == 0) return "0B";
  return print(bytes, size_units).value_or(std::to_string(bytes) + "B");
}

}  // namespace tidemark::config
