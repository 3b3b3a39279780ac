#include <string>

#include "protocol/backend_messages.hpp"
#include "protocol/frontend_messages.hpp"
#include "proxy/session.hpp"
#include "proxy/session_limits.hpp"
#include "proxy/session_marks.hpp"
#include "proxy/sql_words.hpp"

namespace tidemark::proxy {

using protocol::Expected;
using protocol::Fate;
using Place = routing::TimelineHistory::Place;

namespace {
constexpr std::string_view kAskForKey =
    "SELECT pg_catalog.pg_current_xact_id_if_assigned(), pg_catalog.pg_current_wal_insert_lsn()";
constexpr std::string_view kCommitted = "committed";
constexpr std::string_view kAborted = "aborted";
constexpr std::string_view kInProgress = "in progress";
}  // namespace

/// Before the COMMIT of a recorded transaction that may have written: its id, and a position between its
/// records and its commit record. In the same send; the answer leaves the server before it commits.
void Session::push_outcome_question(pools::Gather& out) {
  if (record_->phase() != TransactionRecord::Phase::recording || unit_class_.kind != UnitKind::commit ||
      status_ != 'T' || !sent_to_primary_ || only_reads_ || mid_sequence_ || unit_is_long_)
    return;
  const auto sql = sole_statement();
  if (!sql || !commits_transaction(*sql)) return;
  const std::size_t from = out.own().size();
  protocol::append_query(out.own(), kAskForKey);
  out.add_own(from);
  server_->pipeline.push(Expected::query, Fate::swallow, kKeyTag);
  unnamed_on_server_ = false;
}

/// A DataRow of its answer.
void Session::note_outcome_key(std::string_view body, bool whole) {
  const auto values = whole ? protocol::parse_data_row(body) : std::nullopt;
  if (!values || values->size() != 2 || !(*values)[0] || !(*values)[1]) return;
  const auto lsn = routing::parse_lsn(*(*values)[1]);
  const std::string_view xid = *(*values)[0];
  if (!lsn || xid.empty() || xid.find_first_not_of("0123456789") != std::string_view::npos) return;
  record_->note_key({std::string(xid), {worker_.view().system_identifier, sent_timeline_, *lsn}});
}

/// The server was lost while COMMIT was in flight; what became of it is asked of the next primary.
void Session::learn_outcome() {
  learning_outcome_ = true;
  unit_in_flight_ = false;
  begin_wait(Wait::retry, worker_.reactor().now());
}

/// On a connection to the primary. A COMMIT whose record would stand behind the end of its timeline is not on
/// the new one, whatever that says of an id that it may have given to another transaction.
void Session::ask_outcome() {
  const OutcomeKey& key = *record_->key();
  const auto& view = worker_.view();
  if (view.timeline > key.before.timeline) {
    const Place place = view.history.locate(key.before.timeline, key.before.lsn);
    if (place != Place::contained) {
      record_->status = place == Place::lost ? kAborted : std::string_view();
      return settle_outcome();
    }
  }
  record_->status.clear();
  std::string& out = worker_.own_bytes();
  out.clear();
  protocol::append_query(out, "SELECT pg_catalog.pg_xact_status('" + key.xid + "'::pg_catalog.xid8)");
  server_->pipeline.push(Expected::query, Fate::swallow, kOutcomeTag);
  unit_in_flight_ = true;
  if (!server_->socket.send(out)) server_->readable = true;
  if (server_->readable) read_server();
}

/// A DataRow of its answer, or its SQLSTATE.
void Session::on_outcome(std::string_view status) {
  // "transaction ID … is in the future" (xid8funcs.c): the new timeline has nothing of it.
  record_->status = status == "22023" ? kAborted : status;
}

/// What is known now is told.
void Session::settle_outcome() {
  unit_in_flight_ = false;
  const std::string status = std::exchange(record_->status, {});
  if (server_ != nullptr) release_server();
  if (status == kInProgress &&
      worker_.reactor().now() < arrived_ + worker_.shared().config.cluster.failover_hold)
    return begin_wait(Wait::retry, worker_.reactor().now() + kRetryInterval);
  learning_outcome_ = false;
  if (status == kCommitted) {
    const auto asked = worker_.shared().monitor.positions().asked();
    const auto now = worker_.reactor().now();
    with_all_marks([&](UserMarks& marks) {
      marks.saw_primary(asked, worker_.view().timeline, now);
      marks.wrote(asked, worker_.view().timeline, now);
    });
    worker_.shared().monitor.want_primary_position(false);
    record_->forget();
    return answer_end("COMMIT");
  }
  if (status == kAborted) {
    // As if its server had been lost before COMMIT came.
    if (replay_transaction()) return go_on();
    return fail_unit(describe(Failure::transaction_lost), 'I');
  }
  note_unknown_outcome();
  fail_unit(describe(Failure::outcome_unknown), 'I');
}

}  // namespace tidemark::proxy
