#pragma once

#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/document.hpp"
#include "config/problem.hpp"

namespace tidemark::config {

/// What is wrong with [listen.tls] and [cluster.server_tls] as a whole. The files that they name are not
/// looked at: whether a key fits its certificate is told by who loads them.
[[nodiscard]] std::vector<Problem> check_tls(const Document& document, const Config& config,
                                             std::string_view file_name);

}  // namespace tidemark::config
