#pragma once

#include <memory>
#include <string>
#include <vector>

#include "pools/cluster_monitor.hpp"
#include "proxy/event_log.hpp"
#include "proxy/worker.hpp"

namespace tidemark::proxy {

/// The text of /metrics, in Prometheus's exposition format: names and labels are all in metrics.cpp. Reads
/// counters that other threads write; any thread.
[[nodiscard]] std::string render_metrics(const std::vector<std::unique_ptr<Worker>>& workers,
                                         const pools::ClusterMonitor& monitor, const EventLog& events);

}  // namespace tidemark::proxy
