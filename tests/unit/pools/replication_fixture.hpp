#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "pools/replication_judge.hpp"

namespace tidemark::pools {

/// A primary "p:1" at 10.0.0.1 and replicas "a:1", "b:1", … at 10.0.0.2 and on, which all stream from it.
struct Replication {
  explicit Replication(std::size_t replicas) {
    view.nodes.resize(replicas + 1);
    readings.resize(replicas + 1);
    for (std::size_t i = 0; i <= replicas; ++i) {
      auto& node = view.nodes[i];
      node.id = static_cast<routing::NodeId>(i);
      node.name = i == 0 ? "p:1" : std::string(1, static_cast<char>('a' + i - 1)) + ":1";
      node.host = "10.0.0." + std::to_string(i + 1);
      node.port = 1;
      node.role = i == 0 ? routing::NodeRole::primary : routing::NodeRole::replica;
      node.fault = routing::NodeFault::none;
      NodeFacts& facts = readings[i].facts;
      facts.in_recovery = i != 0;
      facts.position = routing::Lsn{1000};
      facts.commits_wait = true;
      facts.may_read_all = true;
      if (i != 0) follow(i, 0);
    }
    view.primary = routing::NodeId{};
  }

  [[nodiscard]] NodeFacts& facts(std::size_t node) { return readings[node].facts; }
  [[nodiscard]] StandbyFacts& row(std::size_t sender, std::size_t at = 0) {
    return facts(sender).standbys[at];
  }

  /// Lets a node stream from another one, by the name "node<i>".
  void follow(std::size_t node, std::size_t sender) {
    NodeFacts& own = facts(node);
    own.pause_state = "not paused";
    own.replay = routing::Lsn{1000};
    own.receiver = {"streaming", view.nodes[sender].host, 1, "", "node" + std::to_string(node)};
    StandbyFacts standby;
    standby.application_name = own.receiver->application_name;
    standby.client_address = view.nodes[node].host;
    standby.state = "streaming";
    standby.sync_state = "async";
    standby.sent = standby.write = standby.flush = standby.replay = routing::Lsn{1000};
    facts(sender).standbys.push_back(std::move(standby));
  }
  void stop_streaming(std::size_t node, std::size_t sender) {
    facts(node).receiver.reset();
    std::erase_if(facts(sender).standbys, [&](const StandbyFacts& standby) {
      return standby.application_name == "node" + std::to_string(node);
    });
  }
  /// All nodes that the view does not call unreachable answer, some seconds later.
  ReplicationHealth after(std::chrono::milliseconds time) {
    now += time;
    for (std::size_t i = 0; i < readings.size(); ++i) {
      if (view.nodes[i].fault == routing::NodeFault::unreachable) continue;
      readings[i].at = now;
      ++readings[i].number;
    }
    return judge.judge(view, readings, now);
  }
  /// "alert node subject" of each finding.
  std::vector<std::string> alerts_after(std::chrono::milliseconds time) {
    std::vector<std::string> texts;
    for (const Finding& finding : after(time).findings) {
      texts.push_back(std::string(to_string(finding.alert)) + ' ' + view.node(finding.node).name +
                      (finding.subject.empty() ? "" : ' ' + finding.subject));
    }
    return texts;
  }

  routing::ClusterView view;
  std::vector<NodeReading> readings;
  routing::TimePoint now = routing::TimePoint{} + std::chrono::hours(1);
  AlertSettings settings;
  ReplicationJudge judge{settings};
};

}  // namespace tidemark::pools
