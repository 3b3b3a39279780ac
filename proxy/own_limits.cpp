#include "proxy/own_limits.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>

namespace tidemark::proxy {

namespace {
// guc.c, time_unit_conversion_table.
constexpr std::array<std::pair<std::string_view, double>, 7> kMilliseconds{{
    {"", 1.0},
    {"us", 0.001},
    {"ms", 1.0},
    {"s", 1000.0},
    {"min", 60'000.0},
    {"h", 3'600'000.0},
    {"d", 86'400'000.0},
}};
/// INT_MAX milliseconds: a server takes no more.
constexpr double kMost = 2'147'483'647.0;

std::string_view trimmed(std::string_view text) {
  const auto is_space = [](char c) { return c == ' ' || (c >= '\t' && c <= '\r'); };
  while (!text.empty() && is_space(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_space(text.back())) text.remove_suffix(1);
  return text;
}
}  // namespace

std::chrono::nanoseconds parse_time_setting(std::string_view text) {
  text = trimmed(text);
  double number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || !(number > 0)) return {};
  const std::string_view unit = trimmed(text.substr(static_cast<std::size_t>(end - text.data())));
  for (const auto& [name, milliseconds] : kMilliseconds) {
    if (unit != name) continue;
    const double product = number * milliseconds;
    if (!(product <= kMost)) return {};
    return std::chrono::milliseconds(std::llround(product));
  }
  return {};
}

pools::PoolSettings own_idle_limits(const pools::SessionSettings& settings) {
  const auto limit = [&](std::string_view name) {
    const std::string* value = settings.find(name);
    return value == nullptr ? std::chrono::nanoseconds(0) : parse_time_setting(*value);
  };
  pools::PoolSettings limits;
  limits.client_idle_timeout = limit("idle_session_timeout");
  limits.idle_transaction_timeout = limit("idle_in_transaction_session_timeout");
  limits.query_timeout = {};
  return limits;
}

}  // namespace tidemark::proxy
