#include "pools/formation_source.hpp"

#include <string>
#include <vector>

namespace tidemark::pools {

namespace asio = boost::asio;

namespace {

// One more than are taken, so that too many are noticed.
constexpr const char* kNodes =
    "select nodehost, nodeport::text, reportedstate::text, goalstate::text from pgautofailover.node "
    "where formationid = $1 and groupid::text = $2 order by nodeid limit 257";

}  // namespace

FormationSource::FormationSource(asio::io_context& io, CallbackGuard& guard, const ClusterSettings& settings,
                                 AuthorityClient& client)
    : guard_(guard),
      settings_(settings),
      client_(client),
      connection_(io, guard, *this),
      resolver_(io),
      timer_(io) {}

void FormationSource::stop() {
  ++question_;
  asking_ = connected_ = false;
  resolver_.cancel();
  timer_.cancel();
  connection_.close();
}

void FormationSource::ask() {
  asking_ = true;
  if (connected_) return query();
  const ServiceAddress& monitor = settings_.discovery.monitor;
  ++question_;
  timer_.expires_after(settings_.discovery.timeout);
  timer_.async_wait(guard_.wrap([this, question = question_](const boost::system::error_code& error) {
    if (error || question != question_) return;
    resolver_.cancel();
    fail("resolving the monitor's name took too long");
  }));
  const auto resolved = [this, question = question_](const boost::system::error_code& error,
                                                     const asio::ip::tcp::resolver::results_type& found) {
    if (question != question_) return;
    if (error || found.empty()) return fail("cannot resolve the monitor's name: " + error.message());
    connect(found.begin()->endpoint().address().to_string());
  };
  resolver_.async_resolve(monitor.host, std::to_string(monitor.port), guard_.wrap(resolved));
}

void FormationSource::connect(const std::string& host) {
  ++question_;
  timer_.cancel();
  const DiscoverySettings& discovery = settings_.discovery;
  connection_.connect({host, discovery.monitor.port, discovery.monitor_user, discovery.monitor_password,
                       discovery.monitor_database, "tidemark-discovery",
                       std::chrono::ceil<std::chrono::milliseconds>(discovery.timeout),
                       discovery.monitor.host, settings_.server_tls},
                      discovery.timeout);
}

void FormationSource::on_connected() {
  connected_ = true;
  query();
}

void FormationSource::query() {
  const std::vector<std::string> values{settings_.discovery.formation,
                                        std::to_string(settings_.discovery.group)};
  connection_.query(kNodes, values, settings_.discovery.timeout);
}

void FormationSource::on_result(const LibpqResult& result) {
  asking_ = false;
  if (result.columns() != 4) return client_.on_answer(BadAnswer{"the monitor's answer has not four columns"});
  std::vector<FormationRow> rows;
  for (int row = 0; row < result.rows(); ++row)
    rows.push_back({result.value(row, 0), result.value(row, 1), result.value(row, 2), result.value(row, 3)});
  client_.on_answer(parse_formation(rows));
}

void FormationSource::on_refused(std::string_view why) {
  // In a transaction that hangs, or without its rights: a new connection may do better.
  connection_.close();
  fail(why);
}

void FormationSource::on_lost(std::string_view why) {
  connected_ = false;
  if (asking_) fail(why);
}

void FormationSource::fail(std::string_view why) {
  ++question_;
  timer_.cancel();
  asking_ = connected_ = false;
  client_.on_no_answer(name_of(settings_.discovery.monitor) + ": " + std::string(why));
}

}  // namespace tidemark::pools
