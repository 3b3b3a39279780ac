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

/// Rules across the keys of [marks]. `config` is what was assembled from `document`.
[[nodiscard]] std::vector<Problem> check_marks(const Document& document, const Config& config,
                                               std::string_view file_name);

/// "host:port" as a node's, but not the folder of a socket.
[[nodiscard]] std::variant<pools::NodeAddress, BadAddress> parse_redis_address(std::string_view text);

}  // namespace tidemark::config
