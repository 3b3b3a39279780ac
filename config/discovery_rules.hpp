#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.hpp"
#include "config/document.hpp"
#include "config/node_address.hpp"
#include "config/problem.hpp"

namespace tidemark::config {

/// Rules across the keys of [cluster.discovery]. `config` is what was assembled from `document`.
[[nodiscard]] std::vector<Problem> check_discovery(const Document& document, const Config& config,
                                                   std::string_view file_name);

/// "http://host:8008", as a member's REST API is named; nothing may follow but a slash.
[[nodiscard]] std::variant<pools::ServiceAddress, BadAddress> parse_rest_url(std::string_view text);

/// "host:port" as a node's, but not the folder of a socket.
[[nodiscard]] std::variant<pools::ServiceAddress, BadAddress> parse_monitor_address(std::string_view text);

}  // namespace tidemark::config
