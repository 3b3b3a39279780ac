#include "pools/replication_reader.hpp"

#include <utility>

namespace tidemark::pools {

ReplicationReader::ReplicationReader(boost::asio::io_context& io, CallbackGuard& guard, OnAnswer on_answer,
                                     OnRefused on_refused)
    : connection_(io, guard, *this), on_answer_(std::move(on_answer)), on_refused_(std::move(on_refused)) {}

void ReplicationReader::ask(const LibpqTarget& target) {
  if (state_ != State::closed && (target.host != host_ || target.port != port_)) close();
  if (state_ == State::idle) return send();
  if (state_ != State::closed) return;
  state_ = State::connecting;
  host_ = target.host;
  port_ = target.port;
  time_limit_ = target.statement_timeout + std::chrono::seconds(1);
  connection_.connect(target, time_limit_);
}

void ReplicationReader::close() {
  connection_.close();
  state_ = State::closed;
}

void ReplicationReader::send() {
  state_ = State::asking;
  connection_.query(kReplicationQuery, time_limit_);
}

void ReplicationReader::on_connected() {
  send();
}

void ReplicationReader::on_result(const LibpqResult& result) {
  state_ = State::idle;
  NodeFacts facts;
  bool complete = false;
  for (int i = 0; i < result.rows(); ++i) {
    ReplicationRow row;
    for (std::size_t column = 0; column < row.size(); ++column)
      row[column] = result.value(i, static_cast<int>(column));
    if (!add_row(facts, row)) return on_refused_("the answer makes no sense");
    complete = complete || row[0] == "node";
  }
  if (!complete) return on_refused_("the answer is not complete");
  if (!facts.may_read_all)
    return on_refused_("the monitor's role lacks pg_read_all_stats (grant pg_monitor to it)");
  on_answer_(std::move(facts));
}

void ReplicationReader::on_refused(std::string_view why) {
  state_ = State::idle;
  on_refused_(why);
}

void ReplicationReader::on_lost(std::string_view) {
  // The probes tell of a node that is gone; here it is only asked again.
  state_ = State::closed;
}

}  // namespace tidemark::pools
