#include "pools/catalog_reader.hpp"

#include <algorithm>
#include <utility>

#include "pools/catalog_queries.hpp"
#include "routing/routine_body.hpp"
#include "routing/safe_functions.hpp"

namespace tidemark::pools {

namespace {

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
    found = databases_.try_emplace(std::string(database)).first;
    found->second.due = Clock::now();
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
  found_.reset();
  step_ = Step::functions;
  {
    std::lock_guard lock(mutex_);
    const auto changes = changes_.find(reading_);
    changes_at_start_ = changes == changes_.end() ? 0 : changes->second;
    // A replica may not have replayed the change.
    if (!server->is_primary && changes_at_start_ != 0) --changes_at_start_;
  }
  first->second.started = now;
  first->second.due = now + kRefresh;
  connection_.connect(
      {std::move(server->host), server->port, settings_.monitor_user, settings_.monitor_password, reading_,
       "tidemark-catalog", kTimeLimit, std::move(server->name), settings_.server_tls},
      std::max<Clock::duration>(settings_.probe_timeout, kLeastDistance));
}

void CatalogReader::set_timer(Clock::time_point at) {
  if (at == timer_.expiry()) return;  // is set already
  timer_.expires_at(at);
  timer_.async_wait(guard_.wrap([this](const boost::system::error_code& error) {
    if (!error) next();
  }));
}

void CatalogReader::changed(std::string_view database) {
  std::lock_guard lock(mutex_);
  ++changes_[std::string(database)];
  const auto before = catalogs_.load();
  const auto known = before->find(database);
  if (known == before->end() || known->second->outdated) return;
  auto catalog = std::make_shared<routing::FunctionCatalog>(*known->second);
  catalog->outdated = true;
  auto catalogs = std::make_shared<routing::FunctionCatalogs>(*before);
  (*catalogs)[std::string(database)] = std::move(catalog);
  catalogs_.publish(std::move(catalogs));
}

void CatalogReader::on_connected() {
  step_ = Step::functions;
  found_ = std::make_shared<routing::FunctionCatalog>();
  connection_.query(catalog_queries::kSafeFunctions, kTimeLimit);
}

void CatalogReader::on_result(const LibpqResult& result) {
  switch (step_) {
    case Step::functions:
      take_functions(result);
      step_ = Step::fingerprint;
      return connection_.query(catalog_queries::kFingerprint, kTimeLimit);
    case Step::fingerprint: {
      fingerprint_ =
          result.rows() == 1 ? result.value(0, 0).value_or(std::string_view{}) : std::string_view{};
      found_->changes_are_flushed = result.rows() == 1 && result.value(0, 1) == "t";
      const Entry& entry = databases_[reading_];
      const auto published = catalogs_.load();
      const auto known = published->find(reading_);
      if (known == published->end() || fingerprint_.empty() || entry.fingerprint != fingerprint_) {
        step_ = Step::sources;
        return connection_.query(catalog_queries::kSources, kTimeLimit);
      }
      const auto& same = *known->second;
      found_->routines = same.routines;
      found_->relations = same.relations;
      found_->written = same.written;
      found_->definition_effects = same.definition_effects;
      found_->settings = same.settings;
      break;
    }
    case Step::sources:
      take_sources(result);
      databases_[reading_].fingerprint = fingerprint_;
      break;
  }
  connection_.close();
  Entry& entry = databases_[reading_];
  entry.read = true;
  entry.failures = 0;
  publish(false);
  reading_.clear();
  next();
}

void CatalogReader::take_functions(const LibpqResult& result) {
  found_->safe.reserve(static_cast<std::size_t>(result.rows()));
  for (int row = 0; row < result.rows(); ++row) {
    const auto name = result.value(row, 0);
    if (!name) continue;
    if (result.value(row, 1) == "t") {
      found_->safe.emplace(*name);
    } else if (routing::is_listed_function(*name)) {
      found_->user_volatile.emplace(*name);
    }
  }
}

void CatalogReader::take_sources(const LibpqResult& result) {
  using Source = routing::RoutineSource;
  std::vector<Source> sources;
  sources.reserve(static_cast<std::size_t>(result.rows()));
  for (int row = 0; row < result.rows(); ++row) {
    const auto name = result.value(row, 1);
    const auto text = result.value(row, 3);
    if (!name || !text) continue;
    const auto kind = result.value(row, 0) == "f"   ? Source::Kind::routine
                      : result.value(row, 0) == "r" ? Source::Kind::relation
                      : result.value(row, 0) == "w" ? Source::Kind::written
                                                    : Source::Kind::event_trigger;
    const auto language =
        result.value(row, 2) == "t" ? routing::BodyLanguage::sql : routing::BodyLanguage::other;
    sources.push_back({kind, language, std::string(*name), std::string(*text)});
  }
  routing::find_effects(sources, *found_);
}

/// Publishes what was found. `incomplete`: bodies could not be read.
void CatalogReader::publish(bool incomplete) {
  std::lock_guard lock(mutex_);
  const auto changes = changes_.find(reading_);
  const bool changed = changes != changes_.end() && changes->second != changes_at_start_;
  found_->outdated = incomplete || changed;
  const auto before = catalogs_.load();
  const auto known = before->find(reading_);
  if (known != before->end() && *known->second == *found_) return;
  auto catalogs = std::make_shared<routing::FunctionCatalogs>(*before);
  (*catalogs)[reading_] = std::move(found_);
  catalogs_.publish(std::move(catalogs));
}

void CatalogReader::on_refused(std::string_view why) {
  const std::string reason(why);
  connection_.close();
  // Which functions are safe is known all the same.
  if (step_ != Step::functions && found_ != nullptr) publish(true);
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
