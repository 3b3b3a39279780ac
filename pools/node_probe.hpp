#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include "pools/callback_guard.hpp"
#include "pools/history_question.hpp"
#include "pools/libpq_connection.hpp"
#include "pools/pool_settings.hpp"
#include "routing/cluster_reducer.hpp"

namespace tidemark::pools {

/// Told what a NodeProbe learns. Called on the monitor's thread.
class ProbeListener {
 public:
  /// A question is about to be sent to `node`; its answer comes with observed, or unanswered, or lost.
  virtual void asking(routing::NodeId node) = 0;
  /// Likewise a reading of its transactions, answered with transactions(); false: not any more.
  virtual bool asking_transactions(routing::NodeId node) = 0;
  virtual void resolved(const routing::NodeResolved& address) = 0;
  virtual void observed(const routing::Observation& observation) = 0;
  /// `node` is writable, and the history of its timeline, this one or the next, cannot be read; told after
  /// the observation, again and again. An observation with a history says that it can.
  virtual void history_unreadable(routing::NodeId node, std::string_view why) = 0;
  /// The ids of all transactions that may have been committing from the question to the answer, in any order;
  /// and those of them that wait for a synchronous standby.
  virtual void transactions(routing::NodeId node, std::vector<std::uint32_t> xids,
                            std::vector<std::uint32_t> awaiting) = 0;
  virtual void unanswered(routing::NodeId node) = 0;
  virtual void lost(routing::NodeId node, std::string_view why) = 0;

 protected:
  ~ProbeListener() = default;
};

/// Asks one node for role, timeline and position, on a connection of its own, for ever: every
/// probe_interval, and when told to. Connects again by itself. On the monitor's thread only.
class NodeProbe final : private LibpqClient {
 public:
  using Clock = std::chrono::steady_clock;

  /// `incarnations` counts the probe connections of all nodes; all references must outlive the probe.
  NodeProbe(boost::asio::io_context& io, CallbackGuard& guard, const ClusterSettings& settings,
            routing::NodeId node, NodeAddress address, std::uint64_t& incarnations, ProbeListener& listener);

  /// Also after stop().
  void start();
  void stop();
  /// The full question as soon as the one under way is answered; ends a pause between two attempts to
  /// connect.
  void probe_now();
  /// The cheap question (role and position), likewise; nothing while there is no connection.
  void ask_position();
  /// The transactions that may be committing, likewise; in turn with the cheap question.
  void ask_transactions();

 private:
  enum class State : std::uint8_t { stopped, pausing, resolving, connecting, preparing, ready, asking };

  enum class Question : std::uint8_t { full, position, transactions, history };

  void attempt();
  void resolve();
  void connect();
  void pause(std::string_view why);
  void ask_next();
  void on_timer();
  void set_timer(Clock::time_point at);
  void take_constants(const LibpqResult& result);
  void take_transactions(const LibpqResult& result);
  void take_position(const LibpqResult& result);
  void take_history(const LibpqResult& result);
  void deliver_without_history(std::string_view why);
  void deliver(const routing::Observation& observation, std::string_view history_unreadable = {});
  void on_connected() override;
  void on_result(const LibpqResult& result) override;
  void on_refused(std::string_view why) override;
  void on_lost(std::string_view why) override;
  [[nodiscard]] const NodeAddress& address() const { return address_; }

  CallbackGuard& guard_;
  const ClusterSettings& settings_;
  routing::NodeId node_;
  const NodeAddress address_;
  std::uint64_t& incarnations_;
  ProbeListener& listener_;
  LibpqConnection connection_;
  boost::asio::steady_timer timer_;
  boost::asio::ip::tcp::resolver resolver_;

  State state_ = State::stopped;
  std::uint64_t attempt_ = 0;       // a resolver's late answer to an earlier attempt is ignored
  std::vector<std::string> hosts_;  // numeric addresses of the name, the next one to try at the back
  std::string host_;                // the one that is tried or connected
  Clock::time_point last_attempt_{};
  bool probe_wanted_ = false;
  bool position_wanted_ = false;
  bool transactions_wanted_ = false;
  Question question_ = Question::full;  // under way, or the last one
  int refusals_ = 0;                    // in a row
  Clock::time_point asked_at_{};
  Clock::time_point next_probe_{};

  // Of this incarnation.
  std::uint64_t incarnation_ = 0;
  std::uint64_t system_identifier_ = 0;
  std::int64_t server_start_ = 0;
  std::uint64_t wal_segment_size_ = 0;
  std::uint64_t wal_block_size_ = 0;
  routing::TimelineId timeline_;  // a recovering server never goes back to an older one
  bool primary_ = false;          // the last full answer said so
  bool awaits_standbys_ = false;  // likewise
  HistoryQuestion history_;
  std::optional<routing::Observation> unfinished_;  // waits for its history
};

}  // namespace tidemark::pools
