#pragma once

#include "config/config.hpp"

namespace tidemark::proxy {

/// The composition root: builds every object, runs the control thread (probes, HTTP, signals) and the worker
/// threads until SIGTERM or SIGINT. Returns the process's exit code. Throws std::exception when it cannot
/// start: a port is in use, an address is wrong.
[[nodiscard]] int run_app(const config::Config& config);

}  // namespace tidemark::proxy
