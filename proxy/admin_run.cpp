#include <algorithm>
#include <chrono>
#include <utility>

#include <fmt/format.h>

#include "proxy/admin_control.hpp"
#include "proxy/admin_replication_tables.hpp"
#include "proxy/admin_session.hpp"
#include "proxy/state_tracker.hpp"
#include "proxy/worker.hpp"

namespace tidemark::proxy {

using Kind = AdminCommand::Kind;

namespace {

/// What has not answered by then is left out of what is shown.
constexpr std::chrono::seconds kGatherTime{2};
constexpr std::chrono::milliseconds kLookAgain{10};
constexpr std::size_t kMostKeepers = 10;

}  // namespace

void AdminSession::run(const AdminCommand& command) {
  if (command.kind == Kind::mistake) {
    return fail({protocol::sqlstate::syntax_error, command.argument,
                 "This is the admin console of the proxy, not a database.",
                 "Commands: " + admin_command_list() + "."});
  }
  if (!may_order_ && !command.only_shows()) {
    return fail({protocol::Sqlstate{"42501"},
                 "user \"" + user_ + "\" may only SHOW",
                 {},
                 "Name the user in admin.users of the proxy's configuration, and restart the proxy."});
  }
  const auto& view = worker_.view();
  const auto now = pools::Reactor::Clock::now();
  switch (command.kind) {
    case Kind::empty:
      return finish({});
    case Kind::set:
      return finish("SET");
    case Kind::show_help:
      return finish(command.kind, help_rows());
    case Kind::show_version:
      return finish(command.kind, version_rows());
    case Kind::show_nodes:
      return finish(command.kind, node_rows(view, worker_.shared().config.routing, now));
    case Kind::show_pools:
      return gather(Detail::all, [this, kind = command.kind](const auto& workers) {
        finish(kind, pool_rows(worker_.view(), workers));
      });
    case Kind::show_clients:
      return gather(Detail::all, [this, kind = command.kind](const auto& workers) {
        finish(kind, client_rows(worker_.view(), workers));
      });
    case Kind::show_servers:
      return gather(Detail::all, [this, kind = command.kind](const auto& workers) {
        finish(kind, server_rows(worker_.view(), workers));
      });
    case Kind::show_state:
      return gather(Detail::all, [this, kind = command.kind](const auto& workers) {
        finish(kind, state_rows(worker_.view(), workers));
      });
    case Kind::show_config:
      return show_config();
    case Kind::show_alerts:
      return finish(command.kind, alert_rows(*worker_.shared().admin.replication->load(), now));
    case Kind::show_replication:
      return finish(command.kind, replication_rows(*worker_.shared().admin.replication->load()));
    case Kind::show_slots:
      return finish(command.kind, slot_rows(*worker_.shared().admin.replication->load(), now));
    case Kind::reload:
      return reload();
    case Kind::pause:
    case Kind::resume:
    case Kind::drain:
    case Kind::undrain:
      return begin_order(command);
    case Kind::mistake:
      break;
  }
}

void AdminSession::reload() {
  worker_.shared().admin.reload(
      [&reactor = worker_.reactor(), this, alive = std::weak_ptr(alive_)](const Reloader::Outcome& outcome) {
        reactor.post([this, alive, outcome] {
          if (alive.expired() || closing_) return;
          std::string problems;
          for (const auto& line : outcome.problems)
            problems.append(problems.empty() ? "" : "\n").append(line);
          if (!outcome.applied) {
            return fail({protocol::Sqlstate{"F0000"}, "the configuration was not reloaded", problems,
                         "Correct the file; what was in force stays in force."});
          }
          std::string keys;
          for (const auto& key : outcome.needs_restart) keys.append(keys.empty() ? "" : ", ").append(key);
          if (!keys.empty())
            notice({protocol::Sqlstate{"01000"}, "these keys need a restart: " + keys, {}, {}});
          if (!problems.empty()) notice({protocol::Sqlstate{"01000"}, problems, {}, {}});
          finish("RELOAD");
        });
      });
}

void AdminSession::show_config() {
  worker_.shared().admin.settings(
      [&reactor = worker_.reactor(), this, alive = std::weak_ptr(alive_)](const auto& lines) {
        reactor.post([this, alive, lines] {
          if (!alive.expired() && !closing_) finish(Kind::show_config, config_rows(lines));
        });
      });
}

void AdminSession::gather(Detail detail, Then then) {
  gathered_.clear();
  then_ = std::move(then);
  gather_end_.expires_at(pools::Reactor::Clock::now() + kGatherTime);
  const std::uint64_t ticket = ++ticket_;
  for (const auto& worker : worker_.shared().workers) {
    worker->tell_status(detail, [&reactor = worker_.reactor(), this, alive = std::weak_ptr(alive_),
                                 ticket](WorkerStatus status) {
      reactor.post([this, alive, ticket, told = std::move(status)]() mutable {
        if (!alive.expired() && !closing_) on_status(ticket, std::move(told));
      });
    });
  }
}

/// Ticket 0: the time is up.
void AdminSession::on_status(std::uint64_t ticket, WorkerStatus status) {
  if (ticket != 0) {
    if (ticket != ticket_ || then_ == nullptr) return;
    gathered_.push_back(std::move(status));
    if (gathered_.size() < worker_.shared().workers.size()) return;
  }
  gather_end_.cancel();
  if (gathered_.size() < worker_.shared().workers.size() && !order_) {
    notice({protocol::Sqlstate{"01000"},
            fmt::format("{} of {} workers did not answer in time",
                        worker_.shared().workers.size() - gathered_.size(), worker_.shared().workers.size()),
            {},
            {}});
  }
  std::sort(gathered_.begin(), gathered_.end(),
            [](const auto& one, const auto& other) { return one.worker < other.worker; });
  if (const auto then = std::exchange(then_, nullptr)) then(gathered_);
}

std::optional<routing::NodeId> AdminSession::find_node(std::string_view name) const {
  for (const auto& node : worker_.view().nodes) {
    if (node.name == name) return node.id;
  }
  return std::nullopt;
}

void AdminSession::begin_order(const AdminCommand& command) {
  Order order;
  order.command = command;
  order.on = command.kind == Kind::pause || command.kind == Kind::drain;
  if (command.kind == Kind::drain || command.kind == Kind::undrain) {
    order.node = find_node(command.argument);
    if (!order.node) {
      std::string nodes;
      for (const auto& node : worker_.view().nodes) nodes.append(nodes.empty() ? "" : ", ").append(node.name);
      return fail({protocol::Sqlstate{"42704"},
                   "there is no node \"" + command.argument + "\"",
                   {},
                   "Nodes: " + nodes + "."});
    }
  }
  // Half of the time that clients wait: what was held can go on before its own wait ends.
  order.deadline = pools::Reactor::Clock::now() +
                   worker_.shared().config.cluster.failover_hold / (order.on ? 2 : 1) + kLookAgain;
  order_ = std::move(order);
  order_->was_on = is_in_force() == order_->on;
  give(order_->on);
  look_at_order();
}

void AdminSession::give(bool on) {
  auto& monitor = worker_.shared().monitor;
  if (order_->node) {
    monitor.order(routing::Drain{*order_->node, on});
  } else {
    monitor.order(routing::Pause{on});
  }
}

/// Whether the newest view shows what was ordered, or the opposite of it where that was ordered.
bool AdminSession::is_in_force() const {
  const auto view = worker_.shared().monitor.view().load();
  return (order_->node ? view->node(*order_->node).drained : view->paused);
}

void AdminSession::look_at_order() {
  if (!order_ || closing_) return;
  const auto view = worker_.shared().monitor.view().load();
  const bool shows = (order_->node ? view->node(*order_->node).drained : view->paused) == order_->on;
  if (!shows && order_->seen) {
    const std::string_view end = order_->node ? "UNDRAIN" : "RESUME";
    order_.reset();
    return fail(
        {protocol::Sqlstate{"57014"}, fmt::format("{} was given while this command waited", end), {}, {}});
  }
  if (!shows) return look_again_.expires_at(pools::Reactor::Clock::now() + kLookAgain);
  order_->seen = true;
  if (!order_->on) return end_order(false);
  gather(Detail::holders,
         [this, generation = view->generation](const auto& workers) { judge_order(generation, workers); });
}

/// Whether a session is what the order waits for.
static bool is_awaited(const SessionFigures& figures, const std::optional<routing::NodeId>& node) {
  return node ? figures.server_node == *node : figures.busy;
}

void AdminSession::judge_order(std::uint64_t generation, const std::vector<WorkerStatus>& workers) {
  if (!order_ || closing_) return;
  // A worker that goes by an older view may still let something begin.
  bool done = workers.size() == worker_.shared().workers.size();
  std::size_t left = 0;
  for (const auto& worker : workers) {
    done = done && worker.generation >= generation;
    left += worker.cleaning;
    for (const auto& client : worker.clients) left += is_awaited(client.figures, order_->node) ? 1U : 0U;
  }
  if (order_->node) {
    // All that is open: connections that are being opened, cleaned or carried to another worker, too.
    const std::size_t open = worker_.shared().limits.open(*order_->node);
    done = done && open == 0;
    tell_of_keepers(workers);
    if (closing_) return;
    left = open;
  } else {
    done = done && left == 0;
  }
  if (done) return end_order(false);
  const auto now = pools::Reactor::Clock::now();
  if (now < order_->deadline) return look_again_.expires_at(now + kLookAgain);
  const bool drains = order_->node.has_value();
  const bool stays = order_->was_on;
  end_order(true);
  fail({protocol::Sqlstate{"57014"},
        drains ? fmt::format("{} server connections to the node are still in use", left)
               : fmt::format("{} server connections are still in use", left),
        fmt::format("{} waits for half of cluster.failover_hold. {}", drains ? "DRAIN" : "PAUSE",
                    stays    ? "It had been in force before, and still is."
                    : drains ? "The node is not drained any more."
                             : "The pause has ended."),
        "SHOW CLIENTS tells who has an open transaction or keeps a server connection."});
}

/// Names, once, the sessions that will not leave the node when their transaction ends.
void AdminSession::tell_of_keepers(const std::vector<WorkerStatus>& workers) {
  if (order_->told) return;
  std::string list;
  std::size_t count = 0;
  for (const auto& worker : workers) {
    for (const auto& client : worker.clients) {
      const auto& figures = client.figures;
      if (figures.server_node != *order_->node || figures.pins == 0) continue;
      if (++count > kMostKeepers) continue;
      list += fmt::format("{}user {}, database {}, pid {}: {}", list.empty() ? "" : "; ", figures.user,
                          figures.database, figures.process_id, pin_reasons(figures.pins));
    }
  }
  if (count == 0) return;
  order_->told = true;
  if (count > kMostKeepers) list += fmt::format("; and {} more", count - kMostKeepers);
  notice({protocol::Sqlstate{"01000"},
          fmt::format("{} sessions keep a server connection to the node beyond their transactions", count),
          list, "DRAIN waits until they end or give up what keeps them."});
}

void AdminSession::end_order(bool failed) {
  if (failed && order_->on && !order_->was_on) give(false);
  const Kind kind = order_->command.kind;
  order_.reset();
  look_again_.cancel();
  then_ = nullptr;
  gather_end_.cancel();
  if (failed) return;
  switch (kind) {
    case Kind::pause:
      return finish("PAUSE");
    case Kind::resume:
      return finish("RESUME");
    case Kind::drain:
      return finish("DRAIN");
    default:
      return finish("UNDRAIN");
  }
}

void AdminSession::cancel() {
  if (!order_ || closing_) return;
  end_order(true);
  fail(proxy::describe(Failure::canceled));
}

}  // namespace tidemark::proxy
