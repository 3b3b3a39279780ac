#include "proxy/session.hpp"

#include <algorithm>
#include <ranges>
#include <utility>

#include "protocol/backend_messages.hpp"
#include "protocol/bytes.hpp"
#include "protocol/frame.hpp"
#include "protocol/frontend_messages.hpp"
#include "proxy/cancel_sender.hpp"
#include "proxy/server_cleaner.hpp"
#include "proxy/session_limits.hpp"

namespace tidemark::proxy {

Session::Session(Worker& worker, SessionStart start)
    : worker_(worker),
      client_(std::move(start.client)),
      in_(worker.blocks()),
      group_(start.group),
      startup_(start.settings),
      settings_(std::move(start.settings)),
      serial_(start.serial),
      user_key_(start.serial ^ (std::uint64_t{worker.worker_number()} << 48)),
      token_(start.token),
      tidemark_(std::move(start.tidemark)),
      timer_(worker.reactor(), [this] { on_deadline(); }) {
  in_.append(start.input);
  cancel_key_ = worker_.shared().cancels.add({worker_.worker_number(), serial_}, start.cancel_key_length);
}

Session::~Session() {
  release_fields();
  worker_.shared().cancels.remove(cancel_key_.process_id);
}

void Session::begin() {
  arrived_ = worker_.reactor().now();
  begin_choice();
  if (token_) {
    if (const auto error = require(*std::exchange(token_, std::nullopt))) return fail_session(*error);
  }
  const auto known = group_->welcomes.find(settings_);
  if (known != group_->welcomes.end()) return greet(known->second);
  welcoming_ = true;
  unit_class_.is_read = true;
  route();
}

void Session::greet(const std::shared_ptr<const protocol::ParameterList>& parameters) {
  welcoming_ = false;
  welcome_ = parameters;
  worker_.counters().logins.add();
  if (group_->catalog->outdated) worker_.shared().monitor.want_catalog(group_->database);
  std::string& out = worker_.own_bytes();
  out.clear();
  for (const auto& [name, value] : *parameters) protocol::append_parameter_status(out, name, value);
  protocol::append_backend_key_data(out, cancel_key_);
  protocol::append_ready_for_query(out, 'I');
  send_to_client(out);
  if (closing_) return;
  watch_own_limits();
  client_readable_ = true;
  process_input();
  resume_reading();
}

void Session::learn_welcome() {
  auto parameters = std::make_shared<protocol::ParameterList>(server_->parameters());
  // The client talks to the cluster, which can be written to, whichever node has answered.
  protocol::set_parameter(*parameters, "in_hot_standby", "off");
  if (group_->welcomes.size() >= kMaxWelcomes) group_->welcomes.clear();
  group_->welcomes[settings_] = parameters;
  release_server();
  greet(parameters);
}

void Session::on_events(pools::IoEvents events) {
  if (closing_) return;
  if (events.broken) return close();
  if (events.writable && client_.blocked()) {
    if (!client_.flush()) return close();
    // Also between units: a session that LISTENs may have been told more than its client took.
    if (!client_.blocked() && server_ != nullptr) read_server();
    if (!client_.blocked()) go_on();
    if (closing_) return;
  }
  if (events.peer_closed) {
    client_gone_ = true;
    // Nobody to answer: do not wait on.
    if (wait_ != Wait::none) return close();
    if (client_has_died()) {
      CancelSender::start(worker_, *server_);
      return close();
    }
  }
  if (events.readable) {
    client_readable_ = true;
    resume_reading();
  }
}

/// The client is gone while its statement runs, without a word, or after a read that nobody will see. A write
/// before an orderly Terminate goes to its end, as with PostgreSQL.
bool Session::client_has_died() const {
  if (server_ == nullptr || !unit_in_flight_ || !unit_held_ || in_.size() != unit_.size || is_passing_on())
    return false;
  const int next = client_.peek();
  return next == -1 || (next == 'X' && unit_class_.is_read);
}

void Session::resume_reading() {
  if (closing_ || !client_readable_ || welcoming_) return;
  read_client();
}

/// Takes up what the client has sent, unless something is waited for.
void Session::go_on() {
  if (closing_ || wait_ != Wait::none) return;
  process_input();
  resume_reading();
}

/// Takes bytes while they are wanted: not while a unit is under way (unless its rest is still to come) and
/// not faster than the server takes them.
void Session::read_client() {
  while (!closing_ && client_readable_ && !in_process_input_ && wait_ == Wait::none &&
         !(server_ != nullptr && server_->socket.blocked())) {
    const bool copying = server_ != nullptr && server_->pipeline.copy() == protocol::Pipeline::Copy::in;
    if (asking_ || comparing_ || (unit_in_flight_ && !unit_is_open() && !copying && long_message_left_ == 0))
      return;
    if (client_.blocked() && !is_passing_on()) return;  // a client that takes no answers gets no more of them
    if ((copying || long_message_left_ > 0) && in_.empty()) {
      // Passed on at once from the shared block; only what is left over is kept.
      const auto got = client_.receive(worker_.scratch(), Worker::kScratchSize);
      if (got.would_block) {
        client_readable_ = false;
        return;
      }
      if (got.closed) return close();
      if (got.bytes < Worker::kScratchSize) client_readable_ = client_gone_;
      in_.append({worker_.scratch(), got.bytes});
    } else {
      const auto room = in_.prepare();
      const auto got = client_.receive(room.data, room.size);
      if (got.would_block) {
        client_readable_ = false;
        in_.consume(0);
        return;
      }
      if (got.closed) return close();
      in_.commit(got.bytes);
      // A short read has emptied the socket; at the end of the stream another one is needed to learn of it.
      if (got.bytes < room.size) client_readable_ = client_gone_;
    }
    process_input();
  }
}

/// What comes next of the client's is the rest of something that the server has begun to take.
bool Session::is_passing_on() const {
  if (skip_to_sync_) return false;
  return long_message_left_ > 0 ||
         (server_ != nullptr && server_->pipeline.copy() == protocol::Pipeline::Copy::in);
}

bool Session::unit_is_open() const {
  return mid_sequence_ && !malformed_ahead_;
}

void Session::process_input() {
  if (in_process_input_) return;
  in_process_input_ = true;
  while (!closing_ && wait_ == Wait::none && !welcoming_ && !in_.empty()) {
    if (server_ != nullptr && server_->socket.blocked()) break;
    const std::size_t before = in_.size();
    if (client_.blocked() && !is_passing_on()) break;
    if (skip_to_sync_) {
      skip_to_sync();
    } else if (long_message_left_ > 0) {
      forward_long_message();
    } else if (server_ != nullptr && server_->pipeline.copy() == protocol::Pipeline::Copy::in) {
      forward_copy_in();
    } else {
      if (asking_ || comparing_ || (unit_in_flight_ && !unit_is_open())) break;
      if (!take_next_unit()) break;
      continue;
    }
    if (in_.size() == before) break;
  }
  in_process_input_ = false;
}

/// False when more bytes are needed, or nothing more can be done now.
bool Session::take_next_unit() {
  using End = protocol::Unit::End;
  switch (unit_.scan(in_.view())) {
    case End::incomplete: {
      const auto head = unit_.next_head(in_.view());
      const std::size_t wanted = head.size == 0 ? 0 : head.offset + std::size_t{head.size};
      if (std::max(wanted, in_.size()) <= kMaxHeldUnit) return false;
      if (!unit_.messages.empty()) {
        // What is complete goes ahead; the sequence goes on with what follows.
        unit_.end = End::partial;
        begin_unit();
        return true;
      }
      if (head.size == 0 || !begins_long_unit(head)) return false;
      begin_long_unit();
      return true;
    }
    case End::invalid:
      return on_invalid();
    case End::terminate:
      close();
      return false;
    case End::stray_copy:
      if (unit_in_flight_) {
        // The answer to what went before tells whether this is COPY data.
        unit_.clear();
        return false;
      }
      in_.consume(unit_.size);
      unit_.clear();
      return true;
    case End::query:
    case End::sync:
    case End::flush:
    case End::partial:
    case End::function_call:
      begin_unit();
      return true;
  }
  return false;
}

/// What cannot be a message follows; true when there is something before it that is still to be done.
bool Session::on_invalid() {
  static constexpr std::string_view kWhat = "unknown message type or impossible length";
  if (unit_.messages.empty()) {
    await_answers_or_fail(kWhat);
    return false;
  }
  unit_.end = protocol::Unit::End::partial;
  malformed_ahead_ = true;
  begin_unit();
  return true;
}

/// Whether enough of a long message has come: a text that must be known is held longer, and names come first.
bool Session::begins_long_unit(const protocol::FrontendMessage& head) const {
  if (head.type == 'P' || head.type == 'Q') return head.size > kMaxHeldText;
  if (head.type != 'B' || in_.size() > kMaxHeldUnit) return true;
  return protocol::parse_bind(in_.view().substr(protocol::kFrameHeader)).has_value();
}

/// After an error of ours in the extended protocol: as a server would, ignores everything up to Sync.
void Session::skip_to_sync() {
  while (in_.size() >= protocol::kFrameHeader || long_message_left_ > 0) {
    if (long_message_left_ > 0) {
      const std::size_t part = std::min(long_message_left_, in_.size());
      in_.consume(part);
      long_message_left_ -= part;
      if (long_message_left_ > 0) return;
      discard_long_message_ = false;
      continue;
    }
    const auto frame = protocol::peek_frame(in_.view());
    if (!frame.valid()) return protocol_error("impossible length");
    if (frame.type == 'X') return close();
    if (frame.type == 'S') {
      if (frame.size != protocol::kFrameHeader) return protocol_error("malformed Sync");
      in_.consume(frame.size);
      skip_to_sync_ = false;
      std::string& out = worker_.own_bytes();
      out.clear();
      protocol::append_ready_for_query(out, status_);
      return send_to_client(out);
    }
    long_message_left_ = frame.size;
  }
}

void Session::forward_copy_in() {
  std::string_view bytes = in_.view();
  std::size_t send = 0;
  while (bytes.size() - send >= protocol::kFrameHeader) {
    const auto frame = protocol::peek_frame(bytes.substr(send));
    if (!frame.valid()) return protocol_error("impossible length");
    if (frame.type == 'd' && bytes.size() - send < frame.size) {
      long_message_left_ = frame.size - (bytes.size() - send);
      long_message_ends_unit_ = false;
      send = bytes.size();
      break;
    }
    if (bytes.size() - send < frame.size) {
      if (frame.size > kMaxHeldUnit) return protocol_error("message too long");
      break;
    }
    if (frame.type == 'X') return close();
    if (frame.type != 'd' && frame.type != 'H' && frame.type != 'S' && frame.type != 'c' && frame.type != 'f')
      return end_copy_in(send);
    send += frame.size;
    if (frame.type == 'c' || frame.type == 'f') {
      server_->pipeline.copy_in_ended();
      break;
    }
  }
  if (send == 0) return;
  if (!server_->socket.send(bytes.substr(0, send))) server_->readable = true;
  in_.consume(send);
  if (server_ != nullptr && server_->readable) read_server();
}

/// What comes behind the next `send` bytes is no COPY data. That is a mistake, unless the server has failed
/// the COPY already and its word is on the way: it is asked by a CopyFail, which it ignores in that case.
void Session::end_copy_in(std::size_t send) {
  std::string bytes(in_.view().substr(0, send));
  protocol::Writer(bytes).open('f').cstring(kNoCopyData).close();
  in_.consume(send);
  copy_failed_ = true;
  server_->pipeline.copy_in_ended();
  if (!server_->socket.send(bytes)) server_->readable = true;
  if (server_ != nullptr && server_->readable) read_server();
}

void Session::forward_long_message() {
  const std::size_t part = std::min(long_message_left_, in_.size());
  const bool pass = server_ != nullptr && !discard_long_message_;
  if (pass && !server_->socket.send(in_.view().substr(0, part))) server_->readable = true;
  in_.consume(part);
  long_message_left_ -= part;
  if (long_message_left_ == 0) discard_long_message_ = false;
  if (long_message_left_ == 0 && long_message_ends_unit_) mid_sequence_ = false;
  if (server_ != nullptr && server_->readable) read_server();
}

void Session::send_to_client(std::string_view bytes) {
  if (record_ != nullptr && !record_->take(bytes)) [[unlikely]]
    return;
  if (!closing_ && !client_.send(bytes)) close();
}

void Session::protocol_error(std::string_view what) {
  fail_session(describe(Failure::protocol_violation, what));
}

/// Ends the unit at hand with an error of ours, as a server would; the session goes on.
void Session::fail_unit(const ClientError& error, char ready_status) {
  if (is_replaying()) [[unlikely]]
    return fail_replay(error);
  if (std::exchange(learning_outcome_, false)) [[unlikely]] {
    note_unknown_outcome();
    return fail_unit(describe(Failure::outcome_unknown), 'I');
  }
  std::string& out = worker_.own_bytes();
  out.clear();
  protocol::append_error_response(out, {.severity = "ERROR",
                                        .code = error.code,
                                        .message = error.message,
                                        .detail = error.detail,
                                        .hint = error.hint,
                                        .routine = error.routine});
  end_failed_unit(out, ready_status);
}

/// Ends it with the error in `out`, which is the worker's own bytes.
void Session::end_failed_unit(std::string& out, char ready_status) {
  if (is_replaying()) [[unlikely]]
    return fail_replay(describe(Failure::result_changed));
  using End = protocol::Unit::End;
  if (!std::exchange(held_begin_, {}).empty()) {
    failed_transaction_ = true;
    ready_status = 'E';
  }
  status_ = ready_status;
  if (status_ == 'I') end_own_transaction(false);
  // A Query alone, and whatever its own Sync ends, is answered with ReadyForQuery; else the client still owes
  // a Sync.
  const char long_type = unit_is_long_ && unit_held_ ? unit_.next_head(in_.view()).type : '\0';
  const bool ends = unit_.end == End::sync || unit_.end == End::function_call || long_type == 'Q' ||
                    long_type == 'F' || (unit_.end == End::query && unit_.messages.size() <= 1);
  if (long_type != '\0') {
    // Dropped as it comes.
    long_message_left_ = unit_.next_head(in_.view()).size;
    long_message_ends_unit_ = false;
    discard_long_message_ = true;
  }
  if (ends) {
    protocol::append_ready_for_query(out, ready_status);
  } else {
    skip_to_sync_ = true;
  }
  undo_changes(!replied_);
  clear_unit();
  send_to_client(out);
}

/// The unit is over, however it ended; its bytes go.
void Session::clear_unit() {
  if (unit_held_) in_.consume(unit_.size);
  unit_.clear();
  changes_.clear();
  descriptions_.clear();
  unit_held_ = unit_in_flight_ = unit_is_long_ = own_sync_ = mid_sequence_ = sequence_failed_ =
      malformed_ahead_ = deallocation_bound_ = false;
  held_place_.reset();
  if (status_ == 'I' && !held_fields_.empty()) [[unlikely]]
    release_fields();
}

/// The names of prepared statements are again what they were before the unit, but for what was confirmed.
void Session::undo_changes(bool confirmed_too) {
  for (auto& change : changes_ | std::views::reverse) {
    if (change.confirmed && !confirmed_too) continue;
    if (change.unnamed) {
      statements_.put_unnamed(std::move(*change.unnamed));
      unnamed_on_server_ = false;
    }
    if (change.name.empty()) continue;
    if (change.closed) {
      statements_.put(change.name, std::move(*change.closed));
    } else {
      statements_.erase(change.name);
    }
  }
  changes_.clear();
  descriptions_.clear();
}

void Session::fail_session(const ClientError& error) {
  if (closing_) return;
  if (record_ != nullptr) record_->forget();
  std::string out;
  protocol::append_error_response(out, {.severity = "FATAL",
                                        .code = error.code,
                                        .message = error.message,
                                        .detail = error.detail,
                                        .hint = error.hint});
  if (long_reply_left_ == 0) send_to_client(out);
  close();
}

void Session::cancel(const CancelDone& done) {
  if (closing_ || welcoming_) return;
  if (wait_ != Wait::none) {
    end_wait();
    leave();
    refuse_in_transaction(describe(Failure::canceled));
    process_input();
    return resume_reading();
  }
  if (applying_) {
    // Nothing of the client's has been sent yet.
    applying_ = false;
    drop_server();
    fail_unit(describe(Failure::canceled), status_);
    process_input();
    return resume_reading();
  }
  if (server_ != nullptr && unit_in_flight_) CancelSender::start(worker_, *server_, done);
}

void Session::shut_down(bool force) {
  if (closing_) return;
  if (!force && (unit_in_flight_ || asking_ || status_ != 'I')) return;
  fail_session(describe(Failure::shutting_down));
}

void Session::close() {
  if (closing_) return;
  closing_ = true;
  if (own_limits_) own_limits_->timer.cancel();
  end_wait();
  leave();
  count_pins(tracker_.pins(), 0);
  if (server_ != nullptr) {
    if (!unit_in_flight_ && !mid_sequence_ && status_ == 'I' && !asking_ && !tracker_.pinned()) {
      release_server();
    } else if (!unit_in_flight_ && !mid_sequence_ && !applying_ && !comparing_ && long_message_left_ == 0 &&
               long_reply_left_ == 0) {
      clean_server();
    } else {
      drop_server();
    }
  }
  in_.clear();
  worker_.reactor().remove(client_.descriptor(), *this);
  client_.close();
  worker_.close_session(*this);
}

}  // namespace tidemark::proxy
