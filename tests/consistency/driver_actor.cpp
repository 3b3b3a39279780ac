#include "tests/consistency/driver_actor.hpp"

#include <algorithm>
#include <utility>

namespace tidemark::consistency {
namespace {

constexpr std::int64_t millisecond = 1'000'000;
constexpr std::int64_t reconnect_pause = 50 * millisecond;
constexpr std::int64_t pause_after_error = 5 * millisecond;

}  // namespace

Actor::Actor(ActorPlan plan, std::uint32_t actors, const DriverOptions& options, Recorder& recorder)
    : plan_(std::move(plan)),
      actors_(actors),
      recorder_(recorder),
      role_(plan_.role, plan_.own_key, options, options.seed * 1'000'003U + plan_.user),
      reopen_at_(plan_.connections.size(), 0),
      lanes_(plan_.lanes),
      user_(plan_.user) {
  for (const ConnectionPlan& connection : plan_.connections)
    connections_.push_back(std::make_unique<Connection>(connection, options, recorder));
}

void Actor::open(std::int64_t now) {
  for (const auto& connection : connections_) connection->open(now);
  for (Lane& lane : lanes_) lane.due = now + role_.think();
}

std::int64_t Actor::due() const {
  if (stopping_) return 0;
  std::int64_t due = 0;
  const auto consider = [&due](std::int64_t time) {
    if (time != 0 && (due == 0 || time < due)) due = time;
  };
  for (const std::int64_t time : reopen_at_) consider(time);
  const bool free = std::any_of(connections_.begin(), connections_.end(),
                                [this](const std::unique_ptr<Connection>& connection) {
                                  return connection->state() == Connection::State::idle &&
                                         !in_use(static_cast<std::size_t>(&connection - connections_.data()));
                                });
  for (const Lane& lane : lanes_)
    if (!lane.connection && free) consider(lane.due);
  return due;
}

std::optional<std::int64_t> Actor::oldest_start() const {
  std::optional<std::int64_t> oldest;
  for (const auto& connection : connections_) {
    const auto start = connection->oldest_start();
    if (start && (!oldest || *start < *oldest)) oldest = start;
  }
  return oldest;
}

bool Actor::done() const {
  return stopping_ && std::none_of(connections_.begin(), connections_.end(), [](const auto& connection) {
           return connection->state() == Connection::State::running ||
                  connection->state() == Connection::State::setting_up;
         });
}

void Actor::abandon(std::int64_t now) {
  for (const auto& connection : connections_) connection->abandon(now);
}

void Actor::advance(std::int64_t now) {
  reopen(now);
  notice_lost_bond();
  for (Lane& lane : lanes_) {
    if (lane.connection) go_on(lane, now);
    if (!lane.connection && !stopping_ && now >= lane.due) begin(lane);
  }
}

void Actor::reopen(std::int64_t now) {
  for (std::size_t i = 0; i < connections_.size(); ++i) {
    if (connections_[i]->state() != Connection::State::closed || stopping_) {
      reopen_at_[i] = 0;
    } else if (reopen_at_[i] == 0) {
      reopen_at_[i] = now + reconnect_pause;
    } else if (now >= reopen_at_[i]) {
      reopen_at_[i] = 0;
      connections_[i]->open(now);
      if (connections_[i]->state() == Connection::State::closed) reopen_at_[i] = now + reconnect_pause;
    }
  }
}

// What a lost connection alone knew is lost: whoever goes on is owed nothing of it.
void Actor::notice_lost_bond() {
  if (plan_.bond == Bond::key || holder_ == nowhere) return;
  const Connection& holder = *connections_[holder_];
  if (holder.state() == Connection::State::closed || holder.lives() != holder_life_) become_another();
}

void Actor::become_another() {
  user_ += actors_;
  holder_ = nowhere;
}

// Something ran on the lane's connection: what now?
void Actor::go_on(Lane& lane, std::int64_t now) {
  Connection& connection = *connections_[*lane.connection];
  if (connection.state() == Connection::State::running) return;
  const bool alive = connection.state() == Connection::State::idle;
  const bool good = alive && !connection.failed();
  if (lane.fetching) {
    lane.fetching = false;
    lane.connection.reset();
    if (!good) become_another();
    if (!good || stopping_) {
      lane.due = now + pause_after_error;
      return;
    }
    Connection& target = *connections_[lane.target];
    if (target.state() != Connection::State::idle) return;  // begin() chooses anew
    ++recorder_.tokens_carried;
    lane.units.push_back(Unit{{{StepKind::set_token, 0, connection.token()}}, false});
    lane.units.push_back(role_.next(target.pipelines()));
    return run(lane, lane.target);
  }
  if (good && !lane.units.empty() && !stopping_) return run(lane, *lane.connection);
  if (!alive && plan_.bond != Bond::key) become_another();
  // With a token, the user goes on from here only if the connection has taken it.
  const bool took_nothing = !good && !lane.units.empty();
  if (alive && !took_nothing) {
    holder_ = *lane.connection;
    holder_life_ = connection.lives();
  }
  lane.units.clear();
  lane.connection.reset();
  lane.due = now + role_.think();
  if (!good) lane.due = std::max(lane.due, now + pause_after_error);
}

void Actor::begin(Lane& lane) {
  const std::optional<std::size_t> chosen = choose();
  if (!chosen) return;
  if (plan_.bond == Bond::token && holder_ != nowhere && *chosen != holder_) {
    lane.fetching = true;
    lane.target = *chosen;
    lane.units.push_back(Unit{{{StepKind::show_token, 0, ""}}, false});
    return run(lane, holder_);
  }
  lane.units.push_back(role_.next(connections_[*chosen]->pipelines()));
  run(lane, *chosen);
}

void Actor::run(Lane& lane, std::size_t connection) {
  Unit unit = std::move(lane.units.front());
  lane.units.pop_front();
  lane.connection = connection;
  connections_[connection]->run(std::move(unit), user_);
}

bool Actor::in_use(std::size_t connection) const {
  return std::any_of(lanes_.begin(), lanes_.end(),
                     [connection](const Lane& lane) { return lane.connection == connection; });
}

std::optional<std::size_t> Actor::choose() {
  std::vector<std::size_t> free;
  for (std::size_t i = 0; i < connections_.size(); ++i)
    if (connections_[i]->state() == Connection::State::idle && !in_use(i)) free.push_back(i);
  if (free.empty()) return std::nullopt;
  return free[role_.any(static_cast<std::uint32_t>(free.size()))];
}

}  // namespace tidemark::consistency
