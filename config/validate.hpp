#pragma once

#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/document.hpp"
#include "config/problem.hpp"

namespace tidemark::config {

/// Rules that take more than one key, or more than the schema can say of one. `document` tells where things
/// stand and what was already refused, `config` is what was assembled from it. Pure: files that are named are
/// not looked at.
[[nodiscard]] std::vector<Problem> validate(const Document& document, const Config& config,
                                            std::string_view file_name);

}  // namespace tidemark::config
