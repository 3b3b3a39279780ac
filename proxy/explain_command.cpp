#include "proxy/explain_command.hpp"

#include <algorithm>
#include <chrono>
#include <functional>
#include <ostream>
#include <string>
#include <variant>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "config/load.hpp"
#include "pools/cluster_monitor.hpp"
#include "proxy/unit_route.hpp"
#include "routing/explain.hpp"
#include "routing/hint.hpp"
#include "routing/level_choice.hpp"

namespace tidemark::proxy {

namespace {

/// How long nodes and catalog may take to answer; those that have not are shown as they are.
constexpr std::chrono::seconds kPatience{3};

class Silent final : public pools::Events {
 public:
  explicit Silent(std::ostream& err) : err_(err) {}
  void view_changed(const routing::ClusterView&, const routing::ClusterView&) override {}
  void probe_failed(std::string_view node, std::string_view why) override {
    err_ << node << ": " << why << '\n';
  }
  void history_unreadable(std::string_view, std::string_view) override {}
  void server_failed(std::string_view, std::string_view, std::string_view, std::string_view) override {}
  void discovery_failed(std::string_view why) override { err_ << why << '\n'; }
  void catalog_failed(std::string_view database, std::string_view why) override {
    err_ << "functions of database " << database << ": " << why << '\n';
  }

 private:
  std::ostream& err_;
};

/// As a session of the monitor's user chooses that asks for nothing by SET; returns the level in words.
std::string choose_level(const config::Config& config, std::string_view sql, const routing::Hint* hint,
                         routing::SessionContext& session) {
  const routing::SessionRules rules(config.routing, config.cluster.monitor_database,
                                    config.cluster.monitor_user, {});
  const auto choice = rules.choose(sql);
  session.level = choice.level;
  session.max_staleness = choice.max_staleness;
  auto source = choice.rule != nullptr ? LevelSource::rule : LevelSource::standard;
  if (hint != nullptr &&
      (hint->consistency || hint->primary || hint->max_staleness || hint->max_staleness_bytes)) {
    source = LevelSource::hint;
    session.level = hint->primary ? routing::ConsistencyLevel::primary
                                  : hint->consistency.value_or(routing::ConsistencyLevel::bounded_staleness);
    if (hint->max_staleness) session.max_staleness.time = *hint->max_staleness;
    if (hint->max_staleness_bytes) session.max_staleness.bytes = hint->max_staleness_bytes;
  }
  return describe_level(session.level, source, choice.rule != nullptr ? &choice.rule->name : nullptr);
}

}  // namespace

int run_explain(const std::filesystem::path& path, std::string_view sql, std::ostream& out,
                std::ostream& err) {
  const auto loaded = config::load_file(path);
  if (!loaded.config) {
    for (const auto& problem : loaded.problems) err << config::to_string(problem) << '\n';
    return 2;
  }
  const auto& config = *loaded.config;
  boost::asio::io_context io(1);
  Silent events(err);
  pools::ClusterMonitor monitor(io, config.cluster, events);
  const std::string& database = config.cluster.monitor_database;
  boost::asio::steady_timer deadline(io, kPatience);
  const auto complete = [&] {
    const auto view = monitor.view().load();
    return monitor.catalogs().load()->contains(database) &&
           (!view->authority || view->authority->asked_at != routing::TimePoint{}) &&
           std::none_of(view->nodes.begin(), view->nodes.end(), [](const auto& node) {
             return node.incarnation == 0 && node.fault != routing::NodeFault::removed;
           });
  };
  boost::asio::steady_timer look(io);
  std::function<void(const boost::system::error_code&)> on_look =
      [&](const boost::system::error_code& error) {
        if (error) return;
        if (complete()) {
          io.stop();
          return;
        }
        look.expires_after(std::chrono::milliseconds(20));
        look.async_wait(on_look);
      };
  look.expires_after(std::chrono::milliseconds(20));
  look.async_wait(on_look);
  deadline.async_wait([&](const boost::system::error_code& error) {
    if (!error) io.stop();
  });
  monitor.start();
  monitor.want_catalog(database);
  io.run();

  const auto catalogs = monitor.catalogs().load();
  const auto catalog = catalogs->find(database);
  const auto classification =
      routing::classify(sql, catalog == catalogs->end() ? nullptr : catalog->second.get());
  routing::SessionContext session;
  session.arrived = std::chrono::steady_clock::now();
  const auto reading = routing::read_hint(sql);
  if (const auto* mistake = std::get_if<routing::HintError>(&reading)) {
    err << routing::to_string(*mistake) << '\n';
    monitor.stop();
    return 2;
  }
  const std::string level = choose_level(config, sql, std::get_if<routing::Hint>(&reading), session);
  const bool is_read = classification.statement == routing::StatementClass::read ||
                       classification.statement == routing::StatementClass::begin_read_only;
  const auto view = monitor.view().load();
  out << routing::explain(
      config.routing, *view, session,
      {.is_read = is_read, .primary_only = classification.for_primary, .of_node = classification.for_primary},
      classification, level, session.arrived);
  monitor.stop();
  return 0;
}

}  // namespace tidemark::proxy
