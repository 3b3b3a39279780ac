#pragma once

#include <filesystem>

#include "config/load.hpp"

namespace tidemark::proxy {

/// The composition root: builds every object, runs the control thread (probes, HTTP, signals) and the worker
/// threads until SIGTERM or SIGINT. `loaded`, which must hold a Config, was read from `file`; SIGHUP reads it
/// again. Returns the process's exit code. Throws std::exception when it cannot start: a port is in use, an
/// address is wrong, a key does not fit its certificate.
[[nodiscard]] int run_app(const std::filesystem::path& file, config::LoadResult loaded);

}  // namespace tidemark::proxy
