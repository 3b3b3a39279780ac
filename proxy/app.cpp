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
#include "pools/replication_watch.hpp"
#include "pools/unix_listener.hpp"
#include "pools/user_reader.hpp"
#include "proxy/admin_control.hpp"
#include "proxy/authenticator.hpp"
#include "proxy/cancel_registry.hpp"
#include "proxy/client_limits.hpp"
#include "proxy/event_log.hpp"
#include "proxy/http_server.hpp"
#include "proxy/marks_store.hpp"
#include "proxy/metrics.hpp"
#include "proxy/metrics_replication.hpp"
#include "proxy/redis_marks.hpp"
#include "proxy/reloader.hpp"
#include "proxy/worker.hpp"

namespace tidemark::proxy {

namespace {

/// How long open transactions may go on after SIGTERM.
constexpr std::chrono::seconds kDrainTime{5};

unsigned worker_count(const config::WorkerSettings& settings) {
  unsigned count = settings.threads != 0 ? settings.threads : std::thread::hardware_concurrency();
  return std::clamp(count, 1U, pools::ServerLimits::kMaxWorkers);
}

std::string hexadecimal(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    text += {kDigits[value >> 4U], kDigits[value & 0xFU]};
  }
  return text;
}

HttpAnswer answer_http(std::string_view path, const std::vector<std::unique_ptr<Worker>>& workers,
                       const pools::ClusterMonitor& monitor, const pools::ReplicationWatch& replication,
                       const EventLog& events) {
  if (path == "/metrics") {
    return {200, "text/plain; version=0.0.4; charset=utf-8",
            render_metrics(workers, monitor, events) +
                render_replication(*replication.health().load(), *monitor.view().load())};
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

int run_app(const std::filesystem::path& file, config::LoadResult loaded) {
  const config::Config config = *loaded.config;
  std::signal(SIGPIPE, SIG_IGN);
  boost::asio::io_context io(1);
  boost::asio::signal_set signals(io, SIGTERM, SIGINT);
  boost::asio::signal_set reload_signals(io, SIGHUP);
  EventLog events;
  Authenticator authenticator(config);
  authenticator.on_failure([&](const AuthFailure& failure) { events.login_failed(failure); });
  const pools::Socket listener = pools::listen_on(config.listen.address, config.listen.port);
  std::vector<const pools::Socket*> listeners{&listener};
  std::optional<pools::UnixListener> unix_listener;
  if (!config.listen.unix_socket_dir.empty()) {
    unix_listener.emplace(config.listen.unix_socket_dir, config.listen.port, config.listen.unix_socket_mode);
    listeners.push_back(&unix_listener->socket());
  }
  pools::ClusterMonitor monitor(io, config.cluster, events);
  pools::ReplicationWatch replication(io, config.cluster, monitor.view(), config.alerts, events);
  pools::UserReader users(io, config.cluster, monitor.view(), config.auth.query,
                          [&](const std::string& user, pools::UserAnswer answer) {
                            authenticator.on_answer(user, std::move(answer));
                          });
  authenticator.ask_through([&](const std::string& user) { users.want(user); });
  // Counters of all nodes that there may ever be: those that join later find theirs.
  const std::size_t most_nodes = config.cluster.discovery.has_authority() ? routing::ClusterView::kMostNodes
                                                                          : config.cluster.nodes.size();
  pools::ServerLimits limits(most_nodes, {.per_pool = config.pool.size,
                                          .per_node = config.pool.max_server_connections,
                                          .per_user = config.pool.max_user_server_connections,
                                          .per_database = config.pool.max_database_server_connections});
  ClientLimits client_limits(config.pool.max_user_client_connections,
                             config.pool.max_database_client_connections);
  const auto make_tls_setup = [&config](const pools::ListenTlsSettings& listen) {
    std::vector<pools::TlsProblem> warnings;
    auto setup = pools::make_tls_setup(listen, config.cluster.server_tls, warnings);
    for (const auto& [key, text] : warnings) EventLog::warning(std::string(key).append(": ").append(text));
    return setup;
  };
  pools::Snapshot<pools::TlsSetup> tls(make_tls_setup(config.listen.tls));
  CancelRegistry cancels;
  const bool shares = config.marks.store == config::MarkStore::redis;
  const unsigned count = worker_count(config.workers);
  std::unique_ptr<RedisShared> redis;
  if (shares) redis = std::make_unique<RedisShared>(io, config.marks, count, hexadecimal(random_bytes(8)));
  // What was done before this process began is told by Redis, which knows since when it remembers.
  const auto now = pools::Reactor::Clock::now();
  MarksStore marks(config.marks.kept_for, config.marks.max_users, shares ? now - config.marks.kept_for : now);
  std::atomic<std::uint32_t> clients{0};
  AdminControl admin;
  std::vector<std::unique_ptr<Worker>> workers;
  HeldStatements held(config.cluster.max_held_statements,
                      static_cast<std::size_t>(config.cluster.max_held_memory));
  const Shared shared{config,  authenticator, monitor, limits, client_limits, tls,     events,
                      cancels, marks,         held,    admin,  redis.get(),   clients, workers};
  for (unsigned i = 0; i < count; ++i) workers.push_back(std::make_unique<Worker>(shared, i, listeners));

  std::optional<HttpServer> http;
  if (config.http.enabled) {
    http.emplace(io, config.http.address, config.http.port, [&](std::string_view path) {
      return answer_http(path, workers, monitor, replication, events);
    });
  }
  monitor.on_publish([&] {
    const auto topology = monitor.view().load()->topology;
    for (auto& worker : workers) worker->published(topology);
  });
  EventLog::trusting(config);
  monitor.start();
  replication.start();
  EventLog::started(config, count);

  Reloader reloader(file, std::move(loaded));
  reloader.add([&](const config::Config& next) {
    return [&tls, setup = make_tls_setup(next.listen.tls)] { tls.publish(setup); };
  });
  reloader.add([&](const config::Config& next) {
    return [&users, publish = authenticator.prepare_reload(next), next] {
      publish();
      users.change(next.auth.query);
      EventLog::trusting(next);
    };
  });
  reloader.add([&](const config::Config& next) {
    return [&replication, alerts = next.alerts] { replication.change(alerts); };
  });
  reloader.add(
      [](const config::Config& next) { return [level = next.log.level] { EventLog::set_level(level); }; });

  const auto reload = [&reloader] {
    auto outcome = reloader.reload();
    EventLog::reloaded(outcome);
    return outcome;
  };
  admin.replication = &replication.health();
  admin.reload = [&](std::function<void(const Reloader::Outcome&)> answer) {
    boost::asio::post(io, [&reload, answer = std::move(answer)] { answer(reload()); });
  };
  admin.settings = [&](std::function<void(const std::vector<config::SettingLine>&)> answer) {
    boost::asio::post(
        io, [&reloader, answer = std::move(answer)] { answer(config::list_settings(reloader.current())); });
  };

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
        reload();
        reload_signals.async_wait(on_reload);
      };
  reload_signals.async_wait(on_reload);
  std::thread waiter([&] {
    for (auto& thread : threads) thread.join();
    boost::asio::post(io, [&] {
      users.stop();
      replication.stop();
      monitor.stop();
      if (http) http->stop();
      if (redis) redis->address.stop();
      signals.cancel();
      reload_signals.cancel();
      io.stop();
    });
  });
  io.run();
  waiter.join();
  for (auto& worker : workers) worker->clear();
  return 0;
}

}  // namespace tidemark::proxy
