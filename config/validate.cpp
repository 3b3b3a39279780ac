#include "config/validate.hpp"

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "config/auth_rules.hpp"
#include "config/discovery_rules.hpp"
#include "config/ip_address.hpp"
#include "config/marks_rules.hpp"
#include "config/nearest.hpp"
#include "config/node_address.hpp"
#include "config/routing_rules.hpp"
#include "config/schema.hpp"
#include "config/text.hpp"
#include "config/tls_rules.hpp"
#include "config/units.hpp"

namespace tidemark::config {
namespace {

class Validator {
 public:
  Validator(const Document& document, const Config& config, std::string_view file_name)
      : document_(document), config_(config), file_name_(file_name) {}

  std::vector<Problem> run() && {
    check_listeners();
    check_auth();
    take(check_tls(document_, config_, file_name_));
    take(check_discovery(document_, config_, file_name_));
    check_node_list();
    check_node_tables();
    check_pool();
    check_cluster_times();
    take(read_routing_rules(document_, config_.routing, file_name_).problems);
    take(check_marks(document_, config_, file_name_));
    return std::move(problems_);
  }

 private:
  void report(Severity severity, Position where, std::string message) {
    problems_.push_back({severity, std::string(file_name_), where, std::move(message)});
  }
  void take(std::vector<Problem> problems) {
    for (Problem& problem : problems) problems_.push_back(std::move(problem));
  }
  void error(Position where, std::string message) { report(Severity::error, where, std::move(message)); }

  /// Where to point for a key: its value, else the header of its table, else the file.
  [[nodiscard]] Position place(std::string_view path) const {
    if (const Entry* entry = document_.find(path)) return entry->value_at;
    for (path = parent_path(path); !path.empty(); path = parent_path(path)) {
      if (const Entry* entry = document_.find(path)) return entry->key_at;
    }
    return {};
  }
  /// The key, or a table that it belongs to, was there and is already reported.
  [[nodiscard]] bool refused(std::string_view path) const {
    for (; !path.empty(); path = parent_path(path)) {
      const Entry* entry = document_.find(path);
      if (entry != nullptr && std::holds_alternative<std::monostate>(entry->value)) return true;
    }
    return false;
  }

  std::optional<IpAddress> check_address(std::string_view path, const std::string& text) {
    if (refused(path)) return std::nullopt;
    auto address = parse_ip_address(text);
    if (!address) {
      error(place(path), in_quotes(path) +
                             " must be a numeric IPv4 or IPv6 address without brackets, found " +
                             in_quotes(text));
    }
    return address;
  }

  void check_listeners() {
    listen_ = check_address("listen.address", config_.listen.address);
    check_unix_socket();
    const auto http = check_address("http.address", config_.http.address);
    if (!config_.http.enabled || !listen_ || !http) return;
    if (refused("listen.port") || refused("http.port") || config_.listen.port != config_.http.port) return;
    const bool overlap = *listen_ == *http || (listen_->is_unspecified() && (listen_->v6 || !http->v6)) ||
                         (http->is_unspecified() && (http->v6 || !listen_->v6));
    if (!overlap) return;
    const bool at_http = document_.find("http.port") != nullptr;
    error(place(at_http ? "http.port" : "listen.port"),
          "[listen] and [http] both want port " + std::to_string(config_.http.port) + " of the same address");
  }

  void check_unix_socket() {
    if (const auto* folder = document_.get<std::string>("listen.unix_socket_dir");
        folder != nullptr && !folder->starts_with('/')) {
      error(place("listen.unix_socket_dir"),
            "\"listen.unix_socket_dir\" must be an absolute path, as clients name it, found " +
                in_quotes(*folder));
    }
    const auto* mode = document_.get<std::string>("listen.unix_socket_permissions");
    if (mode != nullptr && !parse_permissions(*mode)) {
      error(place("listen.unix_socket_permissions"),
            "\"listen.unix_socket_permissions\" must be three octal digits, such as \"0770\", found " +
                in_quotes(*mode));
    }
  }

  void check_auth() {
    take(read_auth_rules(document_, file_name_).problems);
    if (refused("auth.rule") || refused("auth.method")) return;
    const bool has_rules = !document_.list("auth.rule").empty();
    if (has_rules && document_.find("auth.method") != nullptr) {
      report(Severity::warning, place("auth.method"),
             "\"auth.method\" has no effect: every client goes by the [[auth.rule]] that matches it");
    }
    if (!has_rules && config_.auth.method == AuthMethod::trust && listen_ && !listen_->is_loopback()) {
      error(place("auth.method"),
            "\"auth.method\" = \"trust\" lets everybody in, so \"listen.address\" must be a "
            "loopback address, found " +
                in_quotes(config_.listen.address));
    }
    check_secrets(has_rules);
  }

  /// Who has to prove a password must be known from somewhere.
  void check_secrets(bool has_rules) {
    const auto needs_secret = [](AuthMethod method) {
      return method == AuthMethod::scram_sha_256 || method == AuthMethod::md5;
    };
    if (!config_.auth.users_file.empty() || config_.auth.asks_cluster() || refused("auth.users_file") ||
        refused("auth.query")) {
      return;
    }
    const std::string what = " needs to know the users; or let \"auth.query\" ask the cluster for them";
    if (!has_rules) {
      if (!needs_secret(config_.auth.method)) return;
      const bool md5 = config_.auth.method == AuthMethod::md5;
      error(place("auth.method"),
            std::string("\"auth.users_file\" is missing: ") + (md5 ? "\"md5\"" : "\"scram-sha-256\"") + what);
      return;
    }
    for (const Document& rule : document_.list("auth.rule")) {
      const auto* method = rule.get<std::string>("auth.rule.method");
      if (method == nullptr || (*method != "scram-sha-256" && *method != "md5")) continue;
      error(rule.find("auth.rule.method")->value_at,
            "\"auth.users_file\" is missing: " + in_quotes(*method) + what);
      return;
    }
  }

  void check_node_list() {
    if (refused("cluster.nodes")) {
      nodes_known_ = false;
      return;
    }
    const auto* items = document_.get<std::vector<Item>>("cluster.nodes");
    if (config_.cluster.discovery.has_authority()) nodes_known_ = false;
    if (items == nullptr || items->empty()) {
      nodes_known_ = false;
      if (config_.cluster.discovery.has_authority() || refused("cluster.discovery.type")) return;
      error(place("cluster.nodes"),
            "\"cluster.nodes\" is missing: name at least one server, such as nodes = [\"127.0.0.1:5432\"]");
      return;
    }
    for (const Item& item : *items) {
      const auto parsed = parse_node_address(item.text);
      if (const auto* bad = std::get_if<BadAddress>(&parsed)) {
        nodes_known_ = false;
        error(item.where, "node " + in_quotes(item.text) + ": " + bad->reason);
        continue;
      }
      const auto [found, fresh] =
          nodes_.try_emplace(identity(std::get<pools::NodeAddress>(parsed)), item.text, item.where);
      if (!fresh) {
        error(item.where, "node " + in_quotes(item.text) + " is named twice, first in line " +
                              std::to_string(found->second.second.line));
      }
    }
  }

  void check_node_tables() {
    std::map<std::string, Position> seen;
    for (const Document& element : document_.list("cluster.node")) {
      const Entry* entry = element.find("cluster.node.address");
      if (entry == nullptr) {
        error(element.at, "\"cluster.node.address\" is missing: which node is this?");
        continue;
      }
      const auto* text = element.get<std::string>("cluster.node.address");
      if (text == nullptr) continue;
      const auto parsed = parse_node_address(*text);
      if (const auto* bad = std::get_if<BadAddress>(&parsed)) {
        error(entry->value_at, "node " + in_quotes(*text) + ": " + bad->reason);
        continue;
      }
      const std::string id = identity(std::get<pools::NodeAddress>(parsed));
      const auto [found, fresh] = seen.try_emplace(id, entry->value_at);
      if (!fresh) {
        error(entry->value_at, "node " + in_quotes(*text) + " is described twice, first in line " +
                                   std::to_string(found->second.line));
      } else if (nodes_known_ && !nodes_.contains(id)) {
        error(entry->value_at,
              "node " + in_quotes(*text) + " is not one of \"cluster.nodes\"" + suggest_node(*text));
      }
    }
  }

  [[nodiscard]] std::string suggest_node(std::string_view text) const {
    std::vector<std::string_view> names;
    for (const auto& entry : nodes_) names.push_back(entry.second.first);
    const auto found = nearest(text, names);
    return found ? "; did you mean " + in_quotes(*found) + "?" : "";
  }

  /// More than a shared limit allows is no contradiction, but it is not what will be.
  void check_below(std::string_view path, std::uint32_t value, std::string_view limit_path,
                   std::uint32_t limit) {
    if (limit == 0 || value <= limit || document_.find(path) == nullptr || refused(path) ||
        refused(limit_path))
      return;
    report(Severity::warning, place(limit_path),
           in_quotes(path) + " (" + std::to_string(value) + ") is never reached: " + in_quotes(limit_path) +
               " is " + std::to_string(limit));
  }

  void check_pool() {
    const pools::PoolSettings& pool = config_.pool;
    check_below("pool.size", pool.size, "pool.max_user_server_connections", pool.max_user_server_connections);
    check_below("pool.size", pool.size, "pool.max_database_server_connections",
                pool.max_database_server_connections);
    if (refused("pool.size") || refused("pool.max_server_connections")) return;
    if (config_.pool.size <= config_.pool.max_server_connections) return;
    const bool at_size = document_.find("pool.size") != nullptr;
    error(place(at_size ? "pool.size" : "pool.max_server_connections"),
          "\"pool.size\" (" + std::to_string(config_.pool.size) +
              ") must not be greater than \"pool.max_server_connections\" (" +
              std::to_string(config_.pool.max_server_connections) + ")");
  }

  void check_cluster_times() {
    if (refused("cluster.failover_hold")) return;
    const auto hold = config_.cluster.failover_hold;
    const auto interval = config_.cluster.probe_interval;
    if (hold.count() != 0 && hold < interval && !refused("cluster.probe_interval")) {
      report(Severity::warning, place("cluster.failover_hold"),
             "\"cluster.failover_hold\" (" + print_duration(hold) +
                 ") is shorter than \"cluster.probe_interval\" (" + print_duration(interval) +
                 "): held writes give up before a new primary can be found");
    }
    const auto timeout = config_.cluster.probe_timeout;
    if (hold.count() != 0 && hold >= interval && hold < timeout && !refused("cluster.probe_timeout")) {
      report(Severity::warning, place("cluster.failover_hold"),
             "\"cluster.failover_hold\" (" + print_duration(hold) +
                 ") is shorter than \"cluster.probe_timeout\" (" + print_duration(timeout) +
                 "): held writes give up before a silent primary is given up");
    }
  }

  const Document& document_;
  const Config& config_;
  std::string_view file_name_;
  std::vector<Problem> problems_;
  std::optional<IpAddress> listen_;
  std::map<std::string, std::pair<std::string, Position>> nodes_;  // identity -> as first written, where
  bool nodes_known_ = true;  // false: the list itself is broken, so nothing can be said to be missing from it
};

}  // namespace

std::vector<Problem> validate(const Document& document, const Config& config, std::string_view file_name) {
  return Validator(document, config, file_name).run();
}

}  // namespace tidemark::config
