#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>

#include "pools/authority_source.hpp"
#include "pools/callback_guard.hpp"
#include "pools/pool_settings.hpp"
#include "routing/cluster_reducer.hpp"

namespace tidemark::pools {

/// Asks the authority again and again, one question at a time, and makes events for the reducer of what it
/// says. On the monitor's thread only.
class Discovery final : private AuthorityClient {
 public:
  using Clock = std::chrono::steady_clock;
  struct Listener {
    /// An AuthorityWord or AuthorityLost for the reducer.
    std::function<void(const routing::ClusterEvent&)> on_event;
    /// Why there was no answer, again and again.
    std::function<void(std::string_view)> on_failure;
    /// The view as it is now, for the names that nodes have already.
    std::function<const routing::ClusterView&()> view;
  };

  /// `settings` name an authority. All references must outlive it.
  Discovery(boost::asio::io_context& io, CallbackGuard& guard, const ClusterSettings& settings,
            Listener listener);

  void start();
  void stop();
  /// Something changed, or there is no primary: asks at once, or as soon as the last question is a moment
  /// ago.
  void hurry();

 private:
  void ask();
  void plan(Clock::time_point at);
  void answered();
  void on_answer(const MembershipAnswer& answer) override;
  void on_no_answer(std::string_view why) override;
  [[nodiscard]] routing::Member member(const ServiceAddress& address) const;

  CallbackGuard& guard_;
  const ClusterSettings& settings_;
  Listener listener_;
  std::unique_ptr<AuthoritySource> source_;
  boost::asio::steady_timer timer_;
  Clock::time_point asked_at_{};
  bool running_ = false;
  bool asking_ = false;
  bool hurried_ = false;
  std::optional<Clock::time_point> without_primary_since_;
};

}  // namespace tidemark::pools
