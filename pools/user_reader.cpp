#include "pools/user_reader.hpp"

#include <algorithm>
#include <span>
#include <utility>

#include <boost/asio/post.hpp>

namespace tidemark::pools {

namespace asio = boost::asio;

namespace {
/// How long a connection that nobody uses is kept.
constexpr auto kKeep = std::chrono::seconds(30);
/// Until another node, or the same one, is tried.
constexpr auto kRetry = std::chrono::milliseconds(100);
/// One node that does not answer must not use up the whole time.
constexpr auto kConnectLimit = std::chrono::seconds(1);
}  // namespace

UserReader::UserReader(asio::io_context& io, const ClusterSettings& cluster,
                       const Snapshot<routing::ClusterView>& view, UserQuerySettings settings,
                       OnAnswer on_answer)
    : io_(io),
      cluster_(cluster),
      view_(view),
      settings_(std::move(settings)),
      on_answer_(std::move(on_answer)),
      connection_(io, guard_, *this),
      timer_(io) {}

void UserReader::want(std::string user) {
  asio::post(io_, guard_.wrap([this, user = std::move(user)]() mutable {
    questions_.push_back({std::move(user), Clock::now() + settings_.timeout});
    if (questions_.size() == 1) next();
  }));
}

void UserReader::change(UserQuerySettings settings) {
  asio::post(io_, guard_.wrap([this, settings = std::move(settings)]() mutable {
    settings_ = std::move(settings);
    // Another database perhaps; and what was asked under the former settings is asked anew.
    connection_.close();
    state_ = State::closed;
    next();
  }));
}

void UserReader::stop() {
  guard_.close([this] {
    timer_.cancel();
    connection_.close();
    state_ = State::closed;
    questions_.clear();
  });
}

bool UserReader::may_be_asked(routing::NodeId node) const {
  const auto view = view_.load();
  if (routing::index(node) >= view->nodes.size()) return false;
  const auto& state = view->node(node);
  return state.fault == routing::NodeFault::none && !state.host.empty();
}

std::optional<routing::NodeId> UserReader::choose() const {
  // The primary knows of a changed password first.
  const auto view = view_.load();
  std::optional<routing::NodeId> best;
  for (const routing::NodeState& node : view->nodes) {
    if (node.fault != routing::NodeFault::none || node.host.empty()) continue;
    const bool first = !best || (view->primary == node.id && unhealthy_ != node.id) || unhealthy_ == best;
    if (first) best = node.id;
  }
  return best;
}

void UserReader::next() {
  fail_overdue();
  if (guard_.closed()) return;
  if (questions_.empty()) {
    if (state_ == State::idle) set_timer(Clock::now() + kKeep);
    return;
  }
  if (state_ == State::idle && !may_be_asked(node_)) {
    connection_.close();
    state_ = State::closed;
  }
  if (state_ == State::closed) connect();
  if (state_ == State::idle) ask();
}

void UserReader::connect() {
  const auto node = choose();
  if (!node) {
    if (last_failure_.empty()) last_failure_ = "no node of the cluster is available";
    return set_timer(std::min(questions_.front().deadline, Clock::now() + kRetry));
  }
  node_ = *node;
  state_ = State::connecting;
  const auto view = view_.load();
  const auto left = std::max<Clock::duration>(questions_.front().deadline - Clock::now(), kRetry);
  LibpqTarget target;
  target.host = view->node(node_).host;
  target.port = view->node(node_).port;
  target.user = cluster_.monitor_user;
  target.password = cluster_.monitor_password;
  target.database = settings_.database;
  target.application_name = "tidemark-auth";
  target.host_name = view->node(node_).host_name;
  target.tls = cluster_.server_tls;
  target.statement_timeout = std::chrono::ceil<std::chrono::milliseconds>(settings_.timeout);
  connection_.connect(target, std::min<Clock::duration>(left, kConnectLimit));
}

void UserReader::ask() {
  state_ = State::asking;
  const Question& question = questions_.front();
  const auto left = std::max<Clock::duration>(question.deadline - Clock::now(), std::chrono::milliseconds(1));
  connection_.query(settings_.sql.c_str(), std::span(&question.user, 1), left);
}

void UserReader::answer_first(UserAnswer answer) {
  const std::string user = std::move(questions_.front().user);
  questions_.pop_front();
  on_answer_(user, std::move(answer));
}

/// A question that is being asked is ended by its connection's own time limit.
void UserReader::fail_overdue() {
  const auto now = Clock::now();
  while (state_ != State::asking && !questions_.empty() && questions_.front().deadline <= now) {
    answer_first({.outcome = UserAnswer::Outcome::unreachable, .why = last_failure_});
    if (guard_.closed()) return;
  }
}

void UserReader::set_timer(Clock::time_point at) {
  timer_.expires_at(at);
  timer_.async_wait(guard_.wrap([this](const boost::system::error_code& error) {
    if (error) return;
    if (questions_.empty() && state_ == State::idle) {
      connection_.close();
      state_ = State::closed;
      return;
    }
    next();
  }));
}

void UserReader::on_connected() {
  state_ = State::idle;
  unhealthy_.reset();
  next();
}

void UserReader::on_result(const LibpqResult& result) {
  state_ = State::idle;
  UserAnswer answer;
  answer.outcome = UserAnswer::Outcome::refused;
  const auto name = result.value(0, 0);
  const auto secret = result.value(0, 1);
  const auto until = result.value(0, 2);
  if (result.columns() < 2) {
    answer.why =
        "the answer must have two columns, name and secret, and may have a third, until when it is valid";
  } else if (result.rows() == 0) {
    answer.outcome = UserAnswer::Outcome::unknown;
  } else if (result.rows() > 1) {
    answer.why = "the answer has more than one row";
  } else if (!name || *name != questions_.front().user) {
    answer.why = "the answer is about another user than the one who was asked for";
  } else {
    answer.outcome = UserAnswer::Outcome::found;
    if (secret) answer.secret = std::string(*secret);
    if (until) answer.valid_until = std::string(*until);
  }
  answer_first(std::move(answer));
  if (!guard_.closed()) next();
}

void UserReader::on_refused(std::string_view why) {
  state_ = State::idle;
  answer_first({.outcome = UserAnswer::Outcome::refused, .why = std::string(why)});
  if (!guard_.closed()) next();
}

void UserReader::on_lost(std::string_view why) {
  const bool wanted = state_ != State::idle;
  state_ = State::closed;
  last_failure_ = why;
  if (!wanted) return;
  unhealthy_ = node_;
  fail_overdue();
  if (!guard_.closed() && !questions_.empty())
    set_timer(std::min(questions_.front().deadline, Clock::now() + kRetry));
}

}  // namespace tidemark::pools
