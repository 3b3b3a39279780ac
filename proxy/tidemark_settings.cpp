#include "proxy/tidemark_settings.hpp"

#include <algorithm>
#include <array>
#include <variant>

#include "config/units.hpp"
#include "routing/user_key.hpp"

namespace tidemark::proxy {

namespace {

constexpr std::size_t kLongestUser = 256;

constexpr std::array<std::string_view, 6> kNames{"consistency", "max_staleness", "max_staleness_bytes",
                                                 "node",        "trace",         "user"};

std::optional<bool> parse_boolean(std::string_view text) {
  if (text == "on" || text == "true" || text == "yes" || text == "1") return true;
  if (text == "off" || text == "false" || text == "no" || text == "0") return false;
  return std::nullopt;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return out;
}

/// Puts a text into `values`; returns what is wrong with it.
std::string assign(TidemarkValues& values, std::string_view name, std::string_view text) {
  const std::string value = lower(text);
  if (name == "consistency") {
    values.consistency = routing::parse_consistency(value);
    if (values.consistency) return {};
    return "the levels are eventual, bounded_staleness, monotonic_reads, read_your_writes, session, strong "
           "and "
           "primary";
  }
  if (name == "max_staleness") {
    const auto parsed = config::parse_duration(text);
    if (const auto* bad = std::get_if<config::BadUnit>(&parsed)) return bad->reason;
    values.max_staleness = std::get<std::chrono::nanoseconds>(parsed);
    return {};
  }
  if (name == "max_staleness_bytes") {
    const auto parsed = config::parse_size(text);
    if (const auto* bad = std::get_if<config::BadUnit>(&parsed)) return bad->reason;
    values.max_staleness_bytes = static_cast<std::uint64_t>(std::get<std::int64_t>(parsed));
    return {};
  }
  if (name == "node") {
    if (value != "primary" && value != "any") return "it is \"primary\" or \"any\"";
    values.node_is_primary = value == "primary";
    return {};
  }
  if (name == "trace") {
    const auto on = parse_boolean(value);
    if (!on) return "it is on or off";
    values.trace = *on;
    return {};
  }
  if (text.size() > kLongestUser) return "a user's key has at most 256 bytes";
  values.user = text;
  values.user_key = text.empty() ? 0 : routing::user_key(text);
  return {};
}

/// Takes one value over from `from`.
void copy(TidemarkValues& to, const TidemarkValues& from, std::string_view name) {
  if (name == "consistency") to.consistency = from.consistency;
  if (name == "max_staleness") to.max_staleness = from.max_staleness;
  if (name == "max_staleness_bytes") to.max_staleness_bytes = from.max_staleness_bytes;
  if (name == "node") to.node_is_primary = from.node_is_primary;
  if (name == "trace") to.trace = from.trace;
  if (name != "user") return;
  to.user = from.user;
  to.user_key = from.user_key;
}

}  // namespace

bool TidemarkSettings::is_name(std::string_view name) {
  return std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

template <class Change>
void TidemarkSettings::change(Scope scope, bool in_transaction, const Change& change) {
  change(now_);
  changed_ = changed_ || in_transaction;
  if (scope == Scope::local) return;
  change(pending_);
  if (!in_transaction) change(session_);
}

std::string TidemarkSettings::set(std::string_view name, std::string_view value, Scope scope,
                                  bool in_transaction) {
  TidemarkValues trial;
  if (std::string mistake = assign(trial, name, value); !mistake.empty()) return mistake;
  change(scope, in_transaction, [&](TidemarkValues& values) { copy(values, trial, name); });
  return {};
}

std::string TidemarkSettings::set_at_startup(std::string_view name, std::string_view value) {
  if (std::string mistake = assign(startup_, name, value); !mistake.empty()) return mistake;
  session_ = pending_ = now_ = startup_;
  return {};
}

void TidemarkSettings::reset(std::string_view name, bool in_transaction) {
  change(Scope::session, in_transaction, [&](TidemarkValues& values) { copy(values, startup_, name); });
}

void TidemarkSettings::reset_all(bool in_transaction) {
  change(Scope::session, in_transaction, [&](TidemarkValues& values) { values = startup_; });
}

std::string TidemarkSettings::show(std::string_view name, const routing::RoutingPolicy& policy) const {
  if (name == "consistency")
    return std::string(routing::to_string(now_.consistency.value_or(policy.consistency)));
  if (name == "max_staleness")
    return config::print_duration(now_.max_staleness.value_or(policy.max_staleness.time));
  if (name == "max_staleness_bytes") {
    const auto bytes = now_.max_staleness_bytes ? now_.max_staleness_bytes : policy.max_staleness.bytes;
    return bytes ? config::print_size(static_cast<std::int64_t>(*bytes)) : std::string();
  }
  if (name == "node") return now_.node_is_primary ? "primary" : "any";
  if (name == "trace") return now_.trace ? "on" : "off";
  return now_.user;
}

}  // namespace tidemark::proxy
