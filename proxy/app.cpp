#include "proxy/app.hpp"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <optional>
#include <thread>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/steady_timer.hpp>

#include "pools/cluster_monitor.hpp"
#include "proxy/authenticator.hpp"
#include "proxy/cancel_registry.hpp"
#include "proxy/event_log.hpp"
#include "proxy/http_server.hpp"
#include "proxy/metrics.hpp"
#include "proxy/worker.hpp"

namespace tidemark::proxy {

namespace {

/// How long open transactions may go on after SIGTERM.
constexpr std::chrono::seconds kDrainTime{5};

unsigned worker_count(const config::WorkerSettings& settings) {
  unsigned count = settings.threads != 0 ? settings.threads : std::thread::hardware_concurrency();
  return std::clamp(count, 1U, pools::ServerLimits::kMaxWorkers);
}

HttpAnswer answer_http(std::string_view path, const std::vector<std::unique_ptr<Worker>>& workers,
                       const pools::ClusterMonitor& monitor, const EventLog& events) {
  if (path == "/metrics") {
    return {200, "text/plain; version=0.0.4; charset=utf-8", render_metrics(workers, monitor, events)};
  }
  if (path == "/healthz") return {200, "text/plain; charset=utf-8", "ok\n"};
  if (path == "/readyz") {
    const auto view = monitor.view().load();
    const bool ready = std::any_of(view->nodes.begin(), view->nodes.end(),
                                   [](const auto& node) { return node.fault == routing::NodeFault::none; });
    if (!ready) return {503, "text/plain; charset=utf-8", "no node of the cluster is available\n"};
    return {200, "text/plain; charset=utf-8", view->primary ? "ready\n" : "ready for reads: no primary\n"};
  }
  return {404, "text/plain; charset=utf-8", "not found: /metrics, /healthz and /readyz are answered here\n"};
}

}  // namespace

int run_app(const config::Config& config) {
  std::signal(SIGPIPE, SIG_IGN);
  boost::asio::io_context io(1);
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  boost::asio::signal_set reload_signals(io, SIGHUP);
  EventLog events;
  const Authenticator authenticator(config);
  const pools::Socket listener = pools::listen_on(config.listen.address, config.listen.port);
  pools::ClusterMonitor monitor(io, config.cluster, events);
  pools::ServerLimits limits(config.cluster.nodes.size(), config.pool.size,
                             config.pool.max_server_connections);
  CancelRegistry cancels;
  std::atomic<std::uint32_t> clients{0};
  std::vector<std::unique_ptr<Worker>> workers;
  const unsigned count = worker_count(config.workers);
  const Shared shared{config, authenticator, monitor, limits, events, cancels, clients, workers};
  for (unsigned i = 0; i < count; ++i) workers.push_back(std::make_unique<Worker>(shared, i, listener));

  std::optional<HttpServer> http;
  if (config.http.enabled) {
    http.emplace(io, config.http.address, config.http.port,
                 [&](std::string_view path) { return answer_http(path, workers, monitor, events); });
  }
  monitor.on_publish([&] {
    const auto topology = monitor.view().load()->topology;
    for (auto& worker : workers) worker->published(topology);
  });
  if (config.auth.method == config::AuthMethod::trust) EventLog::trusting(config.listen.address);
  monitor.start();
  EventLog::started(config, count);

  std::vector<std::thread> threads;
  for (auto& worker : workers) threads.emplace_back([&worker] { worker->run(); });
  bool draining = false;
  std::function<void(const boost::system::error_code&, int)> on_signal =
      [&](const boost::system::error_code& error, int) {
        if (error) return;
        EventLog::stopping(draining ? "a second signal: at once" : "a signal");
        const auto deadline =
            pools::Reactor::Clock::now() + (draining ? std::chrono::seconds(0) : kDrainTime);
        for (auto& worker : workers) worker->drain(deadline);
        draining = true;
        signals.async_wait(on_signal);
      };
  signals.async_wait(on_signal);
  std::function<void(const boost::system::error_code&, int)> on_reload =
      [&](const boost::system::error_code& error, int) {
        if (error) return;
        EventLog::problem(
            "SIGHUP: this version does not reload its configuration; restart it to apply changes");
        reload_signals.async_wait(on_reload);
      };
  reload_signals.async_wait(on_reload);
  std::thread waiter([&] {
    for (auto& thread : threads) thread.join();
    boost::asio::post(io, [&] {
      monitor.stop();
      if (http) http->stop();
      signals.cancel();
      reload_signals.cancel();
      io.stop();
    });
  });
  io.run();
  waiter.join();
  return 0;
}

}  // namespace tidemark::proxy
