#include "pools/discovery.hpp"

#include <algorithm>
#include <utility>
#include <variant>

#include <boost/asio/ip/address.hpp>

#include "pools/formation_source.hpp"
#include "pools/patroni_source.hpp"

namespace tidemark::pools {

namespace asio = boost::asio;

namespace {

/// Distance of two questions while there is no primary, for as long as a failover may take; then it is a
/// state of its own, and the usual distance does.
constexpr std::chrono::milliseconds kHurried{100};
constexpr std::chrono::minutes kHurryFor{1};

}  // namespace

Discovery::Discovery(asio::io_context& io, CallbackGuard& guard, const ClusterSettings& settings,
                     Listener listener)
    : guard_(guard), settings_(settings), listener_(std::move(listener)), timer_(io) {
  AuthorityClient& client = *this;
  if (settings.discovery.type == DiscoveryType::patroni) {
    source_ = std::make_unique<PatroniSource>(io, guard, settings.discovery, client);
  } else {
    source_ = std::make_unique<FormationSource>(io, guard, settings, client);
  }
}

void Discovery::start() {
  running_ = true;
  ask();
}

void Discovery::stop() {
  running_ = false;
  timer_.cancel();
  source_->stop();
}

void Discovery::ask() {
  asking_ = true;
  hurried_ = false;
  asked_at_ = Clock::now();
  source_->ask();
}

void Discovery::hurry() {
  if (!running_ || std::exchange(hurried_, true) || asking_) return;
  plan(asked_at_ + std::min<Clock::duration>(settings_.discovery.interval, kHurried));
}

void Discovery::plan(Clock::time_point at) {
  timer_.expires_at(at);
  timer_.async_wait(guard_.wrap([this](const boost::system::error_code& error) {
    // A timer that was set anew after it had expired still calls the first handler.
    if (!error && !asking_ && Clock::now() >= timer_.expiry()) ask();
  }));
}

void Discovery::answered() {
  if (!running_) return;
  const auto now = Clock::now();
  if (listener_.view().primary) {
    without_primary_since_.reset();
  } else if (!without_primary_since_) {
    without_primary_since_ = now;
  }
  const bool soon = hurried_ || (without_primary_since_ && now - *without_primary_since_ < kHurryFor);
  const Clock::duration interval = settings_.discovery.interval;
  plan(asked_at_ + (soon ? std::min<Clock::duration>(interval, kHurried) : interval));
}

void Discovery::on_answer(const MembershipAnswer& answer) {
  if (const auto* bad = std::get_if<BadAnswer>(&answer)) return on_no_answer(bad->why);
  asking_ = false;
  const auto& membership = std::get<Membership>(answer);
  routing::AuthorityWord word;
  word.asked_at = asked_at_;
  word.answered_at = Clock::now();
  word.primary = membership.primary;
  for (const ServiceAddress& address : membership.nodes) word.members.push_back(member(address));
  listener_.on_event(word);
  answered();
}

void Discovery::on_no_answer(std::string_view why) {
  asking_ = false;
  listener_.on_failure(why);
  if (!running_) return;
  listener_.on_event(routing::AuthorityLost{Clock::now()});
  answered();
}

routing::Member Discovery::member(const ServiceAddress& address) const {
  const auto same = [&](std::string_view host, std::uint16_t port) {
    return name_of({std::string(host), port}) == name_of(address);
  };
  routing::Member made{name_of(address), address.host, {}, address.port, 1};
  boost::system::error_code not_numeric;
  asio::ip::make_address(address.host, not_numeric);
  if (!not_numeric) made.host = address.host;
  for (const NodeAddress& described : settings_.described) {
    if (same(described.host, described.port)) made.weight = described.weight;
  }
  // A node keeps the name that the configuration spells otherwise.
  for (const routing::NodeState& node : listener_.view().nodes) {
    if (same(node.host_name, node.port)) made.name = node.name;
  }
  return made;
}

}  // namespace tidemark::pools
