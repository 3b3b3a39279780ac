#include "config/marks_rules.hpp"

#include <array>
#include <utility>

#include "config/text.hpp"
#include "config/units.hpp"

namespace tidemark::config {
namespace {

class MarksRules {
 public:
  MarksRules(const Document& document, const Config& config, std::string_view file_name)
      : document_(document), marks_(config.marks), max_lag_(config.routing.max_lag), file_name_(file_name) {}

  std::vector<Problem> run() && {
    check_ttl();
    check_redis();
    return std::move(problems_);
  }

 private:
  void report(Severity severity, Position where, std::string message) {
    problems_.push_back({severity, std::string(file_name_), where, std::move(message)});
  }
  [[nodiscard]] bool is_refused(std::string_view key) const {
    const Entry* entry = document_.find(key);
    return entry != nullptr && std::holds_alternative<std::monostate>(entry->value);
  }

  /// A forgotten mark is a mark that every replica in use is known to have reached.
  void check_ttl() {
    if (marks_.ttl >= max_lag_ || is_refused("marks") || is_refused("marks.ttl") || is_refused("routing") ||
        is_refused("routing.max_lag")) {
      return;
    }
    const Entry* entry = document_.find("marks.ttl");
    if (entry == nullptr) return;  // what is not asked for is as long as it has to be
    report(Severity::error, entry->value_at,
           "\"marks.ttl\" (" + print_duration(marks_.ttl) + ") must not be less than \"routing.max_lag\" (" +
               print_duration(max_lag_) + "): a mark would be forgotten that a replica still lacks");
  }

  void check_redis() {
    if (const auto* text = document_.get<std::string>("marks.redis")) {
      const auto parsed = parse_redis_address(*text);
      if (const auto* bad = std::get_if<BadAddress>(&parsed))
        report(Severity::error, document_.find("marks.redis")->value_at,
               "\"marks.redis\" " + in_quotes(*text) + ": " + bad->reason);
    }
    if (is_refused("marks.store")) return;
    if (marks_.store != MarkStore::redis) {
      constexpr std::array<std::string_view, 6> keys = {
          "marks.redis",          "marks.redis_user",    "marks.redis_password_file",
          "marks.redis_database", "marks.redis_timeout", "marks.redis_prefix"};
      for (const std::string_view key : keys) {
        if (const Entry* entry = document_.find(key))
          report(Severity::warning, entry->key_at,
                 in_quotes(key) + " has no effect: \"marks.store\" is \"memory\"");
      }
      return;
    }
    const Entry* user = document_.find("marks.redis_user");
    if (user != nullptr && document_.find("marks.redis_password_file") == nullptr)
      report(Severity::error, user->key_at, "\"marks.redis_user\" needs \"marks.redis_password_file\"");
  }

  const Document& document_;
  const MarksSettings& marks_;
  std::chrono::nanoseconds max_lag_;
  std::string_view file_name_;
  std::vector<Problem> problems_;
};

}  // namespace

std::vector<Problem> check_marks(const Document& document, const Config& config, std::string_view file_name) {
  return MarksRules(document, config, file_name).run();
}

std::variant<pools::NodeAddress, BadAddress> parse_redis_address(std::string_view text) {
  if (text.starts_with('/')) return BadAddress{"it must be a host and a port, as in \"127.0.0.1:6379\""};
  return parse_node_address(text);
}

}  // namespace tidemark::config
