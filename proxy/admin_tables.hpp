#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/settings_list.hpp"
#include "proxy/admin_commands.hpp"
#include "proxy/admin_status.hpp"
#include "routing/cluster_view.hpp"
#include "routing/routing_policy.hpp"

namespace tidemark::proxy {

using AdminRows = std::vector<std::vector<std::string>>;

/// The columns of what a command shows, all of them text; none for a command that shows nothing.
[[nodiscard]] std::span<const std::string_view> admin_columns(AdminCommand::Kind kind);

// The rows, in the order of the columns. Pure but for version_rows, which is what was built.
[[nodiscard]] AdminRows help_rows();
[[nodiscard]] AdminRows version_rows();
[[nodiscard]] AdminRows node_rows(const routing::ClusterView& view, const routing::RoutingPolicy& policy,
                                  routing::TimePoint now);
[[nodiscard]] AdminRows pool_rows(const routing::ClusterView& view, const std::vector<WorkerStatus>& workers);
[[nodiscard]] AdminRows client_rows(const routing::ClusterView& view,
                                    const std::vector<WorkerStatus>& workers);
[[nodiscard]] AdminRows server_rows(const routing::ClusterView& view,
                                    const std::vector<WorkerStatus>& workers);
[[nodiscard]] AdminRows state_rows(const routing::ClusterView& view,
                                   const std::vector<WorkerStatus>& workers);
[[nodiscard]] AdminRows config_rows(const std::vector<config::SettingLine>& lines);

}  // namespace tidemark::proxy
