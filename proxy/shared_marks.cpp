#include "proxy/shared_marks.hpp"

#include <algorithm>
#include <charconv>
#include <tuple>

namespace tidemark::proxy {

namespace {

constexpr std::size_t kTimelineDigits = 8;
constexpr std::size_t kLsnDigits = 16;

void append_hex(std::string& out, std::uint64_t number, std::size_t digits) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (std::size_t i = digits; i-- > 0;) out.push_back(kDigits[number >> (4 * i) & 0xFU]);
}

template <class Number>
std::optional<Number> parse(std::string_view text, int base) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

std::optional<SharedHash::Position> parse_position(std::string_view text) {
  if (text.size() != kTimelineDigits + kLsnDigits) return std::nullopt;
  const auto timeline = parse<std::uint32_t>(text.substr(0, kTimelineDigits), 16);
  const auto lsn = parse<std::uint64_t>(text.substr(kTimelineDigits), 16);
  if (!timeline || !lsn || *timeline == 0) return std::nullopt;
  return SharedHash::Position{{*timeline}, {*lsn}};
}

/// What stands before the next colon; takes it and the colon off.
std::string_view take_part(std::string_view& text) {
  const std::size_t colon = std::min(text.find(':'), text.size());
  const std::string_view part = text.substr(0, colon);
  text.remove_prefix(std::min(colon + 1, text.size()));
  return part;
}

bool is_higher(const SharedHash::Position& position, const SharedHash::Position& than) {
  return std::tuple(than.timeline, than.lsn) < std::tuple(position.timeline, position.lsn);
}

}  // namespace

std::string shared_marks_key(std::string_view prefix, std::uint64_t system_identifier, std::uint64_t user) {
  std::string key(prefix);
  key.append(":{").append(std::to_string(system_identifier)).push_back(':');
  append_hex(key, user, 16);
  return key.append("}:marks");
}

std::string shared_epoch_key(std::string_view prefix, std::uint64_t system_identifier) {
  return std::string(prefix) + ":{" + std::to_string(system_identifier) + "}:epoch";
}

std::string shared_write_field(std::string_view proxy, std::uint64_t number) {
  return "d:" + std::string(proxy) + ":" + std::to_string(number);
}

std::string shared_node_field(std::string_view proxy, std::uint64_t number, std::string_view node) {
  return "s:" + std::string(proxy) + ":" + std::to_string(number) + ":" + std::string(node);
}

std::string print_shared_position(routing::TimelineId timeline, routing::Lsn lsn) {
  std::string text;
  append_hex(text, timeline.value, kTimelineDigits);
  append_hex(text, lsn.value, kLsnDigits);
  return text;
}

SharedHash read_shared_hash(const std::vector<std::pair<std::string_view, std::string_view>>& fields,
                            std::string_view own) {
  SharedHash hash;
  for (const auto& [name, value] : fields) {
    if (name == "p") {
      hash.position = parse_position(value);
      hash.is_unbounded = hash.is_unbounded || !hash.position;
      continue;
    }
    std::string_view rest = name;
    const std::string_view kind = take_part(rest);
    if (take_part(rest) == own && (kind == "d" || kind == "s")) continue;
    take_part(rest);
    // Behind the sign stands when Redis took it.
    const auto start = parse<std::int64_t>(value.substr(0, value.find('@')), 10);
    if (kind == "s" && start && !rest.empty()) {
      hash.shown.push_back({std::string(rest), *start});
    } else {
      hash.is_unbounded = true;
    }
  }
  return hash;
}

bool merge_shared_hash(const SharedHash& hash, UserMarks& marks, SharedHash::Position& known,
                       const routing::ClusterView& view, std::uint64_t asked, routing::TimePoint now) {
  if (hash.position && is_higher(*hash.position, known)) {
    known = *hash.position;
    marks.require({view.system_identifier, known.timeline, known.lsn}, now);
  }
  bool unbounded = hash.is_unbounded;
  for (const auto& shown : hash.shown) {
    const auto node = std::find_if(view.nodes.begin(), view.nodes.end(),
                                   [&](const auto& each) { return each.name == shown.node; });
    // Of a node that is not known here, or not in that life, and of a primary, the primary's position tells.
    if (node == view.nodes.end() || node->server_start == 0 || node->server_start != shown.server_start ||
        node->role != routing::NodeRole::replica) {
      unbounded = true;
      continue;
    }
    marks.saw_replica_elsewhere({node->id, node->incarnation, now, node->observed_at});
  }
  if (unbounded) marks.unknown_elsewhere(asked, now);
  return unbounded;
}

}  // namespace tidemark::proxy
