#include "config/discovery_rules.hpp"

#include <array>
#include <span>
#include <utility>

#include "config/text.hpp"

namespace tidemark::config {
namespace {

using pools::DiscoveryType;

constexpr auto kOfPatroni = std::to_array<std::string_view>({"cluster.discovery.patroni"});
constexpr auto kOfMonitor = std::to_array<std::string_view>(
    {"cluster.discovery.monitor", "cluster.discovery.monitor_user", "cluster.discovery.monitor_password_file",
     "cluster.discovery.monitor_database", "cluster.discovery.formation", "cluster.discovery.group"});
constexpr auto kOfBoth = std::to_array<std::string_view>(
    {"cluster.discovery.interval", "cluster.discovery.timeout", "cluster.discovery.when_unreachable"});

class DiscoveryRules {
 public:
  DiscoveryRules(const Document& document, const Config& config, std::string_view file_name)
      : document_(document), type_(config.cluster.discovery.type), file_name_(file_name) {}

  std::vector<Problem> run() && {
    check_addresses();
    if (is_refused("cluster.discovery") || is_refused("cluster.discovery.type")) return std::move(problems_);
    if (type_ != DiscoveryType::patroni) refuse(kOfPatroni, "patroni");
    if (type_ != DiscoveryType::pg_auto_failover) refuse(kOfMonitor, "pg_auto_failover");
    if (type_ == DiscoveryType::fixed) refuse(kOfBoth, "patroni\" or \"pg_auto_failover");
    if (type_ == DiscoveryType::patroni) require_urls();
    if (type_ == DiscoveryType::pg_auto_failover) require_monitor();
    return std::move(problems_);
  }

 private:
  void error(Position where, std::string message) {
    problems_.push_back({Severity::error, std::string(file_name_), where, std::move(message)});
  }
  [[nodiscard]] bool is_refused(std::string_view key) const {
    const Entry* entry = document_.find(key);
    return entry != nullptr && std::holds_alternative<std::monostate>(entry->value);
  }
  [[nodiscard]] Position at_type() const { return document_.find("cluster.discovery.type")->value_at; }

  /// A key of another kind of discovery would do nothing, while its author believes it at work.
  void refuse(std::span<const std::string_view> keys, std::string_view types) {
    for (const std::string_view key : keys) {
      if (const Entry* entry = document_.find(key))
        error(entry->key_at,
              in_quotes(key) + " is for \"cluster.discovery.type\" = \"" + std::string(types) + "\" only");
    }
  }

  void check_addresses() {
    if (const auto* items = document_.get<std::vector<Item>>("cluster.discovery.patroni")) {
      for (const Item& item : *items) {
        const auto parsed = parse_rest_url(item.text);
        if (const auto* bad = std::get_if<BadAddress>(&parsed))
          error(item.where, "\"cluster.discovery.patroni\" " + in_quotes(item.text) + ": " + bad->reason);
      }
    }
    if (const auto* text = document_.get<std::string>("cluster.discovery.monitor")) {
      const auto parsed = parse_monitor_address(*text);
      if (const auto* bad = std::get_if<BadAddress>(&parsed))
        error(document_.find("cluster.discovery.monitor")->value_at,
              "\"cluster.discovery.monitor\" " + in_quotes(*text) + ": " + bad->reason);
    }
  }

  void require_urls() {
    if (is_refused("cluster.discovery.patroni")) return;
    const auto* items = document_.get<std::vector<Item>>("cluster.discovery.patroni");
    if (items != nullptr && !items->empty()) return;
    error(at_type(),
          "\"cluster.discovery.patroni\" is missing: name the REST API of at least one member, such as "
          "patroni = [\"http://10.0.0.1:8008\"]");
  }

  void require_monitor() {
    if (document_.find("cluster.discovery.monitor") != nullptr) return;
    error(at_type(),
          "\"cluster.discovery.monitor\" is missing: name the monitor's server, such as monitor = "
          "\"10.0.0.1:5432\"");
  }

  const Document& document_;
  const DiscoveryType type_;
  std::string_view file_name_;
  std::vector<Problem> problems_;
};

}  // namespace

std::variant<pools::ServiceAddress, BadAddress> parse_monitor_address(std::string_view text) {
  auto parsed = parse_node_address(text);
  if (auto* bad = std::get_if<BadAddress>(&parsed)) return std::move(*bad);
  const auto& address = std::get<pools::NodeAddress>(parsed);
  if (address.host.starts_with('/')) return BadAddress{"it must be a host and a port, not a socket's folder"};
  return pools::ServiceAddress{address.host, address.port};
}

std::variant<pools::ServiceAddress, BadAddress> parse_rest_url(std::string_view text) {
  constexpr std::string_view kScheme = "http://";
  if (text.starts_with("https://"))
    return BadAddress{"https is not supported by this version: it must begin with \"http://\""};
  if (!text.starts_with(kScheme))
    return BadAddress{"it must begin with \"http://\", as \"http://10.0.0.1:8008\""};
  text.remove_prefix(kScheme.size());
  if (text.ends_with('/')) text.remove_suffix(1);
  if (text.find('/') != std::string_view::npos)
    return BadAddress{"nothing may follow the port: the path is always /cluster"};
  return parse_monitor_address(text);
}

std::vector<Problem> check_discovery(const Document& document, const Config& config,
                                     std::string_view file_name) {
  return DiscoveryRules(document, config, file_name).run();
}

}  // namespace tidemark::config
