#include "pools/node_probe.hpp"

#include <algorithm>
#include <bit>
#include <charconv>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <boost/asio/ip/address.hpp>

#include "pools/probe_queries.hpp"
#include "routing/mutation.hpp"
#include "routing/wal_tail.hpp"

namespace tidemark::pools {

namespace asio = boost::asio;

namespace {

// Reading the history must not cost the node its place in the view: the server's own time limit, which is
// probe_timeout, ends it before this does.
constexpr int kHistoryTimeLimit = 2;  // probe_timeouts
constexpr int kRefusalsTolerated = 3;
constexpr auto kLongestPause = std::chrono::seconds(1);

template <class Number>
std::optional<Number> parse_number(std::optional<std::string_view> text) {
  Number number{};
  if (!text) return std::nullopt;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (error != std::errc{} || end != text->data() + text->size()) return std::nullopt;
  return number;
}

/// An unsigned integer in network byte order, as the binary format has bool, int4, int8 and pg_lsn.
template <class Number>
std::optional<Number> decode(std::optional<std::string_view> bytes) {
  if (!bytes || bytes->size() != sizeof(Number)) return std::nullopt;
  std::uint64_t number = 0;
  for (const char byte : *bytes) number = number << 8 | static_cast<unsigned char>(byte);
  return static_cast<Number>(number);
}

}  // namespace

NodeProbe::NodeProbe(asio::io_context& io, CallbackGuard& guard, const ClusterSettings& settings,
                     routing::NodeId node, NodeAddress address, std::uint64_t& incarnations,
                     ProbeListener& listener)
    : guard_(guard),
      settings_(settings),
      node_(node),
      address_(std::move(address)),
      incarnations_(incarnations),
      listener_(listener),
      connection_(io, guard, *this),
      timer_(io),
      resolver_(io) {}

void NodeProbe::start() {
  if (state_ == State::stopped) attempt();
}

void NodeProbe::stop() {
  state_ = State::stopped;
  ++attempt_;
  timer_.cancel();
  resolver_.cancel();
  connection_.close();
}

void NodeProbe::probe_now() {
  if (state_ == State::pausing) return attempt();
  probe_wanted_ = true;
  ask_next();
}

void NodeProbe::ask_position() {
  position_wanted_ = true;
  ask_next();
}

void NodeProbe::ask_transactions() {
  transactions_wanted_ = true;
  ask_next();
}

void NodeProbe::attempt() {
  ++attempt_;
  last_attempt_ = Clock::now();
  probe_wanted_ = true;
  position_wanted_ = transactions_wanted_ = false;
  refusals_ = 0;
  const std::string& host = address().host;
  boost::system::error_code not_numeric;
  asio::ip::make_address(host, not_numeric);
  if (host.starts_with('/') || !not_numeric) {
    hosts_.assign(1, host);
  } else if (hosts_.empty()) {
    return resolve();
  }
  connect();
}

void NodeProbe::resolve() {
  state_ = State::resolving;
  set_timer(Clock::now() + settings_.probe_timeout);
  const auto done = [this, attempt = attempt_](const boost::system::error_code& error,
                                               const asio::ip::tcp::resolver::results_type& results) {
    if (attempt != attempt_ || state_ != State::resolving) return;
    if (error) return pause("cannot resolve the name: " + error.message());
    for (const auto& entry : results) hosts_.push_back(entry.endpoint().address().to_string());
    std::reverse(hosts_.begin(), hosts_.end());
    if (hosts_.empty()) return pause("the name has no address");
    connect();
  };
  resolver_.async_resolve(address().host, std::to_string(address().port), guard_.wrap(done));
}

void NodeProbe::connect() {
  state_ = State::connecting;
  timer_.cancel();
  host_ = std::move(hosts_.back());
  hosts_.pop_back();
  const auto limit = std::chrono::ceil<std::chrono::milliseconds>(settings_.probe_timeout);
  connection_.connect(
      {host_, address().port, settings_.monitor_user, settings_.monitor_password, settings_.monitor_database,
       "tidemark-monitor", limit, address().host, settings_.server_tls},
      settings_.probe_timeout);
}

void NodeProbe::on_connected() {
  state_ = State::preparing;
  incarnation_ = ++incarnations_;
  timeline_ = {};
  primary_ = false;
  history_.begin_life();
  unfinished_.reset();
  std::string text = probe_queries::kPrepare;
  if (routing::mutated(routing::Mutation::write_position)) {
    constexpr std::string_view kInserted = "pg_current_wal_insert_lsn";
    for (std::size_t at = 0; (at = text.find(kInserted, at)) != std::string::npos;)
      text.replace(at, kInserted.size(), "pg_current_wal_lsn");
  }
  connection_.query(text.c_str(), settings_.probe_timeout);
}

void NodeProbe::take_constants(const LibpqResult& result) {
  const auto system_identifier = parse_number<std::int64_t>(result.value(0, 0));
  const auto segment_size = parse_number<std::uint64_t>(result.value(0, 1));
  const auto block_size = parse_number<std::uint64_t>(result.value(0, 2));
  const auto server_start = parse_number<std::int64_t>(result.value(0, 4));
  if (!system_identifier || !segment_size || !block_size || !server_start ||
      !std::has_single_bit(*segment_size) || !std::has_single_bit(*block_size)) {
    connection_.close();
    return pause("the server's constants make no sense");
  }
  // Without it the receiver's timeline is hidden, and a standby's position might be taken for another one's.
  if (result.value(0, 3) != "t") {
    connection_.close();
    return pause("the monitor's role lacks pg_read_all_stats (grant pg_monitor to it)");
  }
  system_identifier_ = static_cast<std::uint64_t>(*system_identifier);
  server_start_ = *server_start;
  wal_segment_size_ = *segment_size;
  wal_block_size_ = *block_size;
  hosts_.clear();  // the next loss resolves the name anew
  state_ = State::ready;
  listener_.resolved({node_, host_, address().port});
  if (state_ != State::ready) return;
  set_timer(Clock::now() + settings_.probe_interval);
  ask_next();
}

void NodeProbe::ask_next() {
  if (state_ != State::ready) return;
  if (transactions_wanted_ && !probe_wanted_ && (!position_wanted_ || question_ != Question::transactions)) {
    transactions_wanted_ = false;
    if (!listener_.asking_transactions(node_)) return ask_next();
    question_ = Question::transactions;
    state_ = State::asking;
    return connection_.execute("tidemark_transactions", settings_.probe_timeout);
  }
  if (!probe_wanted_ && !position_wanted_) return;
  const bool full = probe_wanted_;
  question_ = full ? Question::full : Question::position;
  probe_wanted_ = position_wanted_ = false;  // the full question answers the cheap one too
  state_ = State::asking;
  listener_.asking(node_);
  if (state_ != State::asking) return;
  asked_at_ = Clock::now();
  if (full) next_probe_ = asked_at_ + settings_.probe_interval;
  connection_.execute(full ? "tidemark_probe" : "tidemark_position", settings_.probe_timeout);
}

void NodeProbe::take_transactions(const LibpqResult& result) {
  std::vector<std::uint32_t> xids;
  std::vector<std::uint32_t> awaiting;
  xids.reserve(static_cast<std::size_t>(result.rows()));
  for (int row = 0; row < result.rows(); ++row) {
    const auto xid = decode<std::uint32_t>(result.value(row, 0));
    const auto awaits = decode<std::uint8_t>(result.value(row, 1));
    if (!xid || !awaits) return on_refused("the list of transactions makes no sense");
    xids.push_back(*xid);
    if (*awaits != 0) awaiting.push_back(*xid);
  }
  state_ = State::ready;
  refusals_ = 0;
  listener_.transactions(node_, std::move(xids), std::move(awaiting));
  ask_next();
}

void NodeProbe::on_result(const LibpqResult& result) {
  if (state_ == State::preparing) return take_constants(result);
  if (question_ == Question::transactions) return take_transactions(result);
  if (question_ == Question::history) return take_history(result);
  take_position(result);
}

void NodeProbe::take_position(const LibpqResult& result) {
  const bool full = question_ == Question::full;
  const auto in_recovery = decode<std::uint8_t>(result.value(0, 0));
  const auto position = decode<std::uint64_t>(result.value(0, 1));
  const auto flushed = decode<std::uint64_t>(result.value(0, 2));
  const auto timeline = decode<std::uint32_t>(result.value(0, 3));
  if (result.rows() != 1 || !in_recovery || (full && !timeline)) {
    return on_refused("the answer to a probe makes no sense");
  }
  state_ = State::ready;
  refusals_ = 0;
  const bool recovering = *in_recovery != 0;
  if (full) {
    primary_ = !recovering;
    awaits_standbys_ = decode<std::uint8_t>(result.value(0, 5)).value_or(1) != 0;
  }
  if (recovering) {
    if (timeline) timeline_ = std::max(timeline_, routing::TimelineId{*timeline});
  } else if (full) {
    timeline_ = {*timeline};
  } else if (!primary_) {
    // Promoted since the last full answer: its new timeline must be known first.
    probe_wanted_ = true;
    listener_.unanswered(node_);
    return ask_next();
  }
  routing::Observation observation;
  observation.node = node_;
  observation.incarnation = incarnation_;
  observation.asked_at = asked_at_;
  observation.answered_at = Clock::now();
  observation.in_recovery = recovering;
  observation.system_identifier = system_identifier_;
  observation.server_start = server_start_;
  observation.timeline = timeline_;
  observation.awaits_standbys = awaits_standbys_;
  observation.position = {position.value_or(0)};
  if (recovering) return deliver(observation);
  observation.position =
      routing::without_page_header(observation.position, wal_segment_size_, wal_block_size_);
  observation.flushed = {flushed.value_or(0)};
  if (!full) return deliver(observation);
  const HistoryRights rights{HistoryQuestion::parse_source(result.value(0, 4)),
                             decode<std::uint8_t>(result.value(0, 6)).value_or(0) != 0};
  if (const auto query = history_.next(timeline_, rights, observation.answered_at)) {
    // Whoever hears of a new timeline hears at once what of the old one is on it.
    unfinished_ = std::move(observation);
    question_ = Question::history;
    state_ = State::asking;
    return connection_.query(query->c_str(), kHistoryTimeLimit * settings_.probe_timeout);
  }
  deliver(observation, rights.source == HistorySource::none ? "the monitor's role may not read it" : "");
}

void NodeProbe::take_history(const LibpqResult& result) {
  auto answer = history_.answered(result.value(0, 0), result.value(0, 1));
  if (!answer) return deliver_without_history("what was read is not the history of the primary's timeline");
  state_ = State::ready;
  if (const auto& ancestors = answer->history.ancestors(); !ancestors.empty()) {
    unfinished_->shutdown_at = routing::find_shutdown_checkpoint(
        answer->tail, ancestors.back().end, ancestors.back().timeline, {wal_segment_size_, wal_block_size_});
  }
  unfinished_->history = std::move(answer->history);
  deliver(*std::exchange(unfinished_, std::nullopt));
}

void NodeProbe::deliver_without_history(std::string_view why) {
  state_ = State::ready;
  deliver(*std::exchange(unfinished_, std::nullopt), why);
}

void NodeProbe::deliver(const routing::Observation& observation, std::string_view history_unreadable) {
  listener_.observed(observation);
  if (!history_unreadable.empty() && state_ != State::stopped)
    listener_.history_unreadable(node_, history_unreadable);
  ask_next();
}

void NodeProbe::on_refused(std::string_view why) {
  if (state_ == State::asking && question_ == Question::history) {
    if (const auto query = history_.instead())
      return connection_.query(query->c_str(), kHistoryTimeLimit * settings_.probe_timeout);
    return deliver_without_history(why);
  }
  const bool preparing = state_ == State::preparing;
  state_ = State::ready;
  if (preparing || ++refusals_ > kRefusalsTolerated) {
    connection_.close();
    return pause(why);
  }
  probe_wanted_ = true;
  listener_.unanswered(node_);
  ask_next();
}

void NodeProbe::on_lost(std::string_view why) {
  pause(why);
}

void NodeProbe::pause(std::string_view why) {
  state_ = State::pausing;
  position_wanted_ = transactions_wanted_ = false;
  // At once for a connection that has lasted and for the other addresses of a name; else paced.
  const auto pace = std::min<Clock::duration>(settings_.probe_interval, kLongestPause);
  const auto now = Clock::now();
  set_timer(hosts_.empty() ? std::max(now, last_attempt_ + pace) : now);
  listener_.lost(node_, why);
}

void NodeProbe::set_timer(Clock::time_point at) {
  timer_.expires_at(at);
  timer_.async_wait(guard_.wrap([this](const boost::system::error_code& error) {
    // A timer that was set anew after it had expired still calls the first handler.
    if (!error && Clock::now() >= timer_.expiry()) on_timer();
  }));
}

void NodeProbe::on_timer() {
  switch (state_) {
    case State::pausing:
      return attempt();
    case State::resolving:
      resolver_.cancel();
      return pause("resolving the name took too long");
    case State::ready:
    case State::asking: {
      const auto now = Clock::now();
      const bool due = now >= next_probe_;
      set_timer(due ? now + settings_.probe_interval : next_probe_);
      if (due) probe_now();
      return;
    }
    default:
      return;
  }
}

}  // namespace tidemark::pools
