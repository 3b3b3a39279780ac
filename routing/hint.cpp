#include "routing/hint.hpp"

#include <array>
#include <charconv>
#include <cstddef>
#include <limits>
#include <span>
#include <system_error>
#include <utility>

#include "routing/user_key.hpp"
#include "routing/word_table.hpp"

namespace tidemark::routing {
namespace {

constexpr std::string_view kPrefix = "tidemark:";
constexpr std::size_t kLongestFault = 64;
constexpr std::string_view kKeys = "consistency, user, node, max_staleness, max_staleness_bytes, token";
constexpr std::string_view kLevels =
    "eventual, bounded_staleness, monotonic_reads, read_your_writes, session, strong, primary";

std::string_view cut(std::string_view text) {
  if (text.size() <= kLongestFault) return text;
  std::size_t end = kLongestFault;
  // Not inside of a character of UTF-8.
  while (end > kLongestFault - 4 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return text.substr(0, end);
}

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// As the configuration has them.
constexpr std::array<Unit, 5> kTimes = {{{"us", 1'000},
                                         {"ms", 1'000'000},
                                         {"s", 1'000'000'000},
                                         {"min", 60'000'000'000},
                                         {"h", 3'600'000'000'000}}};
constexpr std::array<Unit, 4> kSizes = {{{"B", 1}, {"kB", 1'024}, {"MB", 1'048'576}, {"GB", 1'073'741'824}}};

/// A whole number and a unit, blanks between them allowed; "0" needs none. nullopt for anything else, and for
/// more than `most`.
std::optional<std::uint64_t> quantity(std::string_view text, std::span<const Unit> units,
                                      std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return std::nullopt;
  std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  while (!unit.empty() && unit.front() == ' ') unit.remove_prefix(1);
  if (unit.empty() && number == 0) return 0;
  for (const Unit& known : units) {
    if (known.name != unit) continue;
    return number <= most / known.factor ? std::optional(number * known.factor) : std::nullopt;
  }
  return std::nullopt;
}

/// Reads what stands between "tidemark:" and the end of the comment.
class Reader {
 public:
  explicit Reader(std::string_view body) : rest_(body) {}

  HintReading read() {
    do {
      if (!read_pair()) return error_;
      skip_space();
    } while (take(','));
    if (!rest_.empty()) {
      fail(HintFault::missing_comma, rest_);
      return error_;
    }
    if (const auto level = hint_.consistency; level && level != ConsistencyLevel::bounded_staleness &&
                                              (hint_.max_staleness || hint_.max_staleness_bytes)) {
      fail(HintFault::bound_without_level, to_string(*level));
      return error_;
    }
    return hint_;
  }

 private:
  enum class Key : std::uint8_t { consistency, user, node, max_staleness, max_staleness_bytes, token };

  bool fail(HintFault fault, std::string_view at) {
    error_ = {fault, cut(at)};
    return false;
  }
  void skip_space() {
    while (!rest_.empty() && is_space_byte(rest_.front())) rest_.remove_prefix(1);
  }
  bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// Up to white space, a comma, the end or, if `key`, an equals sign.
  std::string_view take_bare(bool key) {
    std::size_t size = 0;
    while (size < rest_.size() && rest_[size] != ',' && !is_space_byte(rest_[size]) &&
           !(key && rest_[size] == '=')) {
      ++size;
    }
    const std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return word;
  }

  bool read_pair() {
    skip_space();
    const std::string_view name = take_bare(true);
    if (name.empty()) return fail(HintFault::missing_key, rest_);
    constexpr std::array<std::pair<std::string_view, Key>, 6> kNames = {
        {{"consistency", Key::consistency},
         {"user", Key::user},
         {"node", Key::node},
         {"max_staleness", Key::max_staleness},
         {"max_staleness_bytes", Key::max_staleness_bytes},
         {"token", Key::token}}};
    for (const auto& [known, key] : kNames) {
      if (!equals_folded(name, known)) continue;
      const auto bit = static_cast<std::uint8_t>(1U << static_cast<unsigned>(key));
      if ((seen_ & bit) != 0) return fail(HintFault::duplicate_key, name);
      seen_ = static_cast<std::uint8_t>(seen_ | bit);
      std::string_view value;
      return read_value(name, value) && use(key, value);
    }
    return fail(HintFault::unknown_key, name);
  }

  bool read_value(std::string_view name, std::string_view& value) {
    skip_space();
    if (!take('=')) return fail(HintFault::missing_value, name);
    skip_space();
    if (!rest_.empty() && (rest_.front() == '\'' || rest_.front() == '"')) {
      const std::size_t end = rest_.find(rest_.front(), 1);
      if (end == std::string_view::npos) return fail(HintFault::unterminated_value, rest_);
      value = rest_.substr(1, end - 1);
      rest_.remove_prefix(end + 1);
    } else {
      value = take_bare(false);
    }
    return !value.empty() || fail(HintFault::missing_value, name);
  }

  bool use(Key key, std::string_view value) {
    switch (key) {
      case Key::consistency:
        hint_.consistency = parse_consistency(value);
        return hint_.consistency || fail(HintFault::unknown_level, value);
      case Key::user:
        if (value.size() > kLongestHintUser) return fail(HintFault::user_too_long, value);
        hint_.user = value;
        hint_.user_key = user_key(value);
        return true;
      case Key::node:
        hint_.primary = value == "primary";
        return hint_.primary || fail(HintFault::unknown_node, value);
      case Key::max_staleness: {
        constexpr auto kMost = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
        const auto time = quantity(value, kTimes, kMost);
        if (time) hint_.max_staleness = std::chrono::nanoseconds(static_cast<std::int64_t>(*time));
        return time || fail(HintFault::bad_duration, value);
      }
      case Key::max_staleness_bytes:
        hint_.max_staleness_bytes = quantity(value, kSizes, std::numeric_limits<std::uint64_t>::max());
        return hint_.max_staleness_bytes || fail(HintFault::bad_size, value);
      case Key::token:
        hint_.token = value;
        return true;
    }
    return false;
  }

  std::string_view rest_;
  Hint hint_;
  HintError error_;
  std::uint8_t seen_ = 0;  ///< one bit for each key
};

bool starts_with_prefix(std::string_view text) {
  return text.size() >= kPrefix.size() && equals_folded(text.substr(0, kPrefix.size()), kPrefix);
}

void append_visibly(std::string_view text, std::string& to) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    to += byte < 0x20 || byte == 0x7F ? '?' : c;
  }
}

}  // namespace

HintReading read_hint(std::string_view sql) {
  if (!begins_with_comment(sql)) return {};
  std::string_view body = sql.substr(sql.find('/') + 2);
  while (!body.empty() && is_space_byte(body.front())) body.remove_prefix(1);
  if (!starts_with_prefix(body)) return {};
  body.remove_prefix(kPrefix.size());
  // PostgreSQL's comments nest, and quotes mean nothing in them.
  for (std::size_t i = 0; i + 1 < body.size(); ++i) {
    if (body[i] == '/' && body[i + 1] == '*')
      return HintError{HintFault::nested_comment, cut(body.substr(i))};
    if (body[i] == '*' && body[i + 1] == '/') return Reader(body.substr(0, i)).read();
  }
  return HintError{HintFault::unterminated_comment, cut(body)};
}

std::string to_string(const HintError& error) {
  std::string text = "hint in a comment: ";
  const auto say = [&text, &error](std::string_view before, std::string_view after) {
    text += before;
    text += '"';
    append_visibly(error.at, text);
    text += '"';
    text += after;
  };
  switch (error.fault) {
    case HintFault::unterminated_comment:
      say("the comment does not end: ", "");
      break;
    case HintFault::nested_comment:
      say("there must be no comment in it: ", "");
      break;
    case HintFault::missing_key:
      say("a key is missing before ", "; known are ");
      text += kKeys;
      break;
    case HintFault::unknown_key:
      say("unknown key ", "; known are ");
      text += kKeys;
      break;
    case HintFault::duplicate_key:
      say("key ", " is given twice");
      break;
    case HintFault::missing_value:
      say("key ", " has no value");
      break;
    case HintFault::unterminated_value:
      say("the quotation mark that closes is missing: ", "");
      break;
    case HintFault::missing_comma:
      say("a comma is missing before ", "");
      break;
    case HintFault::unknown_level:
      say("unknown consistency level ", "; known are ");
      text += kLevels;
      break;
    case HintFault::unknown_node:
      say("unknown node ", "; only \"primary\" can be asked for");
      break;
    case HintFault::bad_duration:
      say("not a duration: ", "; it is a whole number and us, ms, s, min or h");
      break;
    case HintFault::bad_size:
      say("not a size: ", "; it is a whole number and B, kB, MB or GB");
      break;
    case HintFault::user_too_long:
      say("user ", "… is longer than 256 bytes");
      break;
    case HintFault::bound_without_level:
      say("max_staleness is for bounded_staleness, not for ", "");
      break;
  }
  return text;
}

}  // namespace tidemark::routing
