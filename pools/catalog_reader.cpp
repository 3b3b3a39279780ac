#include "pools/catalog_reader.hpp"

#include <algorithm>
#include <utility>

namespace tidemark::pools {

namespace {

// An aggregate is always declared immutable (manual: CREATE AGGREGATE has no volatility), so the functions
// that it calls are asked.
constexpr const char* kSafeFunctions = R"(
select p.proname
  from pg_proc p left join pg_aggregate a on a.aggfnoid = p.oid
 group by p.proname
having bool_and(p.provolatile <> 'v' and not exists (
         select from pg_proc f
          where f.provolatile = 'v'
            and f.oid in (a.aggtransfn, a.aggfinalfn, a.aggcombinefn, a.aggserialfn, a.aggdeserialfn,
                          a.aggmtransfn, a.aggminvtransfn, a.aggmfinalfn))))";

constexpr std::size_t kMostDatabases = 1000;
constexpr auto kRefresh = std::chrono::seconds(60);
constexpr auto kLeastDistance = std::chrono::seconds(1);
constexpr auto kRetry = std::chrono::seconds(5);
constexpr auto kTimeLimit = std::chrono::seconds(10);
// A name that was never read, such as that of no database at all, is forgotten after so many failures.
constexpr int kFailuresOfAStranger = 3;

}  // namespace

CatalogReader::CatalogReader(boost::asio::io_context& io, CallbackGuard& guard,
                             const ClusterSettings& settings, Snapshot<routing::FunctionCatalogs>& catalogs,
                             Events& events, std::function<std::optional<Server>()> server)
    : guard_(guard),
      settings_(settings),
      catalogs_(catalogs),
      events_(events),
      server_(std::move(server)),
      connection_(io, guard, *this),
      timer_(io) {}

void CatalogReader::want(std::string_view database) {
  if (database.empty() || stopped_) return;
  auto found = databases_.find(database);
  if (found == databases_.end()) {
    if (databases_.size() >= kMostDatabases) {
      if (!std::exchange(full_reported_, true))
        events_.catalog_failed(database, "too many databases are in use");
      return;
    }
    found = databases_.emplace(std::string(database), Entry{Clock::now()}).first;
  } else if (found->second.failures == 0) {
    // Counted from the start of the last reading, so that what changes while one runs is read again.
    Entry& entry = found->second;
    entry.due = std::min(entry.due, entry.started + kLeastDistance);
  }
  next();
}

void CatalogReader::stop() {
  stopped_ = true;
  timer_.cancel();
  connection_.close();
}

void CatalogReader::next() {
  if (stopped_ || !reading_.empty() || databases_.empty()) return;
  const auto first = std::min_element(databases_.begin(), databases_.end(), [](const auto& a, const auto& b) {
    return a.second.due < b.second.due;
  });
  const auto now = Clock::now();
  if (first->second.due > now) return set_timer(first->second.due);
  auto server = server_();
  if (!server) return;  // look_again() comes when there is one
  reading_ = first->first;
  first->second.started = now;
  first->second.due = now + kRefresh;
  connection_.connect({std::move(server->host), server->port, settings_.monitor_user,
                       settings_.monitor_password, reading_, "tidemark-catalog", kTimeLimit},
                      std::max<Clock::duration>(settings_.probe_timeout, kLeastDistance));
}

void CatalogReader::set_timer(Clock::time_point at) {
  if (at == timer_.expiry()) return;  // is set already
  timer_.expires_at(at);
  timer_.async_wait(guard_.wrap([this](const boost::system::error_code& error) {
    if (!error) next();
  }));
}

void CatalogReader::on_connected() {
  connection_.query(kSafeFunctions, kTimeLimit);
}

void CatalogReader::on_result(const LibpqResult& result) {
  auto catalog = std::make_shared<routing::FunctionCatalog>();
  catalog->safe.reserve(static_cast<std::size_t>(result.rows()));
  for (int row = 0; row < result.rows(); ++row) {
    if (const auto name = result.value(row, 0)) catalog->safe.emplace(*name);
  }
  connection_.close();
  const std::string database = std::exchange(reading_, {});
  Entry& entry = databases_[database];
  entry.read = true;
  entry.failures = 0;
  const auto before = catalogs_.load();
  const auto known = before->find(database);
  if (known == before->end() || known->second->safe != catalog->safe) {
    auto catalogs = std::make_shared<routing::FunctionCatalogs>(*before);
    (*catalogs)[database] = std::move(catalog);
    catalogs_.publish(std::move(catalogs));
  }
  next();
}

void CatalogReader::on_refused(std::string_view why) {
  const std::string reason(why);
  connection_.close();
  failed(reason);
}

void CatalogReader::on_lost(std::string_view why) {
  failed(why);
}

void CatalogReader::failed(std::string_view why) {
  const std::string database = std::exchange(reading_, {});
  const auto entry = databases_.find(database);
  if (entry != databases_.end()) {
    const int failures = ++entry->second.failures;
    if (!entry->second.read && failures >= kFailuresOfAStranger) {
      databases_.erase(entry);
      full_reported_ = false;
    } else {
      entry->second.due = Clock::now() + std::min<Clock::duration>(kRefresh, kRetry * failures);
    }
  }
  events_.catalog_failed(database, why);
  next();
}

}  // namespace tidemark::pools
