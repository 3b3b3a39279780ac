#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "pools/discovery_settings.hpp"

namespace tidemark::pools {

/// What an authority answered. Every host in it has passed is_host.
struct Membership {
  std::vector<ServiceAddress> nodes;     ///< where each member's PostgreSQL listens; never empty
  std::optional<std::size_t> primary;    ///< index into `nodes` of the one that is named; none now: empty
  std::vector<ServiceAddress> services;  ///< where the members can be asked themselves, as far as they tell
};

/// Why an answer makes no sense, in words for the log.
struct BadAnswer {
  std::string why;
};

using MembershipAnswer = std::variant<Membership, BadAnswer>;

/// An answer with more members than this is refused.
inline constexpr std::size_t kMostMembers = 256;

/// Whether `text` can be a host name or a numeric address. What else there may be in an answer goes neither
/// to the resolver nor into a log or a metric.
[[nodiscard]] bool is_host(std::string_view text);

/// "host:port", an IPv6 address in brackets; a name in lower case.
[[nodiscard]] std::string name_of(const ServiceAddress& address);

/// The body of Patroni's answer to GET /cluster (Patroni's manual, "Patroni REST API", "Cluster status and
/// configuration"). Members that do not tell yet where they listen are left out.
[[nodiscard]] MembershipAnswer parse_patroni_cluster(std::string_view body);

/// One row of the monitor's table pgautofailover.node; nothing for NULL.
struct FormationRow {
  std::optional<std::string_view> host;
  std::optional<std::string_view> port;
  std::optional<std::string_view> reported_state;
  std::optional<std::string_view> goal_state;
};

/// The rows of one formation and group. The primary is the node whose reported and goal state are both ones
/// in which it takes writes (pg_auto_failover's manual, "Failover State Machine"): so a node that is to be
/// demoted is none any more, and one that is being promoted none yet.
[[nodiscard]] MembershipAnswer parse_formation(const std::vector<FormationRow>& rows);

}  // namespace tidemark::pools
