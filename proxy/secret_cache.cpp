#include "proxy/secret_cache.hpp"

#include <algorithm>
#include <charconv>
#include <system_error>
#include <utility>

namespace tidemark::proxy {

namespace {

constexpr std::chrono::seconds kLeastBetweenDoubts{1};

/// Takes a number of `least` to `most` digits from the front of `text`.
std::optional<int> take_number(std::string_view& text, std::size_t least, std::size_t most) {
  int value = 0;
  const std::size_t limit = std::min(most, text.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + limit, value);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc{} || length < least || value < 0 || text.front() == '-') return std::nullopt;
  text.remove_prefix(length);
  return value;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text.front() != c) return false;
  text.remove_prefix(1);
  return true;
}

}  // namespace

SecretCache::SecretCache(std::size_t capacity, std::chrono::nanoseconds lifetime)
    : capacity_(capacity), lifetime_(lifetime) {}

std::optional<UserSecret> SecretCache::find(std::string_view user, TimePoint now) {
  const auto found = entries_.find(user);
  if (found == entries_.end()) return std::nullopt;
  const Entry& entry = found->second;
  if (!entry.believed || now - entry.asked_at >= lifetime_) return std::nullopt;
  return entry.secret;
}

void SecretCache::put(const std::string& user, UserSecret secret, TimePoint now) {
  if (capacity_ == 0) return;
  auto [place, fresh] = entries_.try_emplace(user);
  Entry& entry = place->second;
  if (!fresh) by_age_.erase(entry.age);
  entry.secret = std::move(secret);
  entry.asked_at = now;
  entry.believed = true;
  entry.age = by_age_.insert(by_age_.end(), user);
  if (entries_.size() <= capacity_) return;
  entries_.erase(by_age_.front());
  by_age_.pop_front();
}

void SecretCache::doubt(std::string_view user, TimePoint now) {
  const auto found = entries_.find(user);
  if (found == entries_.end()) return;
  Entry& entry = found->second;
  if (entry.doubted_at && now - *entry.doubted_at < kLeastBetweenDoubts) return;
  entry.doubted_at = now;
  entry.believed = false;
}

ValidUntil parse_valid_until(std::string_view text) {
  namespace chrono = std::chrono;
  using Microseconds = chrono::sys_time<chrono::microseconds>;
  constexpr Microseconds distant_past{chrono::sys_days{chrono::year{1} / 1 / 1}};
  if (text == "infinity") return {true, std::nullopt};
  if (text == "-infinity") return {true, distant_past};
  const auto year = take_number(text, 4, 6);
  if (!year || !take(text, '-')) return {};
  const auto month = take_number(text, 2, 2);
  if (!month || !take(text, '-')) return {};
  const auto day = take_number(text, 2, 2);
  if (!day) return {};
  // A date alone is its beginning.
  int hour = 0;
  int minute = 0;
  int second = 0;
  int micros = 0;
  if (take(text, ' ')) {
    const auto hours = take_number(text, 2, 2);
    if (!hours || !take(text, ':')) return {};
    const auto minutes = take_number(text, 2, 2);
    if (!minutes || !take(text, ':')) return {};
    const auto seconds = take_number(text, 2, 2);
    if (!seconds) return {};
    hour = *hours;
    minute = *minutes;
    second = *seconds;
    if (take(text, '.')) {
      const std::size_t digits = text.size();
      const auto fraction = take_number(text, 1, 6);
      if (!fraction) return {};
      micros = *fraction;
      for (std::size_t taken = digits - text.size(); taken < 6; ++taken) micros *= 10;
    }
    if (text.starts_with("+00")) text.remove_prefix(3);
  }
  const bool before_christ = text == " BC";
  if (!text.empty() && !before_christ) return {};
  const chrono::year_month_day date{chrono::year{*year}, chrono::month{static_cast<unsigned>(*month)},
                                    chrono::day{static_cast<unsigned>(*day)}};
  // Beyond what the calendar of this library can hold is as good as never.
  constexpr int last_year = 32'767;
  if (*year > last_year) return {true, std::nullopt};
  if (!date.ok() || hour > 24 || minute > 59 || second > 60) return {};
  if (before_christ) return {true, distant_past};
  return {true, Microseconds{chrono::sys_days{date}} + chrono::hours{hour} + chrono::minutes{minute} +
                    chrono::seconds{second} + chrono::microseconds{micros}};
}

bool is_expired(const UserSecret& secret, std::chrono::system_clock::time_point now) {
  // In PostgreSQL's microseconds: the clock's nanoseconds hold the years 1678 to 2261 only.
  return secret.valid_until && *secret.valid_until <= std::chrono::floor<std::chrono::microseconds>(now);
}

}  // namespace tidemark::proxy
