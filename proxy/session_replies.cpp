#include <algorithm>
#include <cstring>
#include <ranges>

#include "protocol/backend_messages.hpp"
#include "protocol/frame.hpp"
#include "proxy/session.hpp"
#include "proxy/session_limits.hpp"

namespace tidemark::proxy {

using protocol::Expected;
using protocol::Fate;
using protocol::Pipeline;
using Verdict = protocol::Pipeline::Verdict;

void Session::on_server_events(pools::ServerConnection& server, pools::IoEvents events) {
  if (&server != server_ || closing_) return;
  if (events.writable && server.socket.blocked()) {
    if (!server.socket.flush()) server.readable = true;
    if (!server.socket.blocked()) {
      process_input();
      resume_reading();
    }
  }
  if (server_ == &server && server.readable) read_server();
}

/// Takes what the server has sent, as long as the client takes it.
void Session::read_server() {
  while (server_ != nullptr && !closing_ && !client_.blocked()) {
    pools::ServerConnection& server = *server_;
    std::size_t have = server.partial.size();
    if (server.readable && have < Worker::kScratchSize) {
      std::memcpy(worker_.scratch(), server.partial.data(), have);
      const std::size_t room = Worker::kScratchSize - have;
      const auto got = server.socket.receive(worker_.scratch() + have, room);
      if (got.closed) return on_server_lost();
      // A short read has emptied the socket; the end of the stream may have come in the same edge.
      if (got.bytes < room) server.readable = server.ended && !got.would_block;
      have += got.bytes;
      server.partial.clear();
    } else if (server.pipeline.empty() || server.pipeline.front().fate != Fate::inject) {
      return;
    } else {
      have = 0;
    }

    pools::Gather out(client_, worker_.own_bytes());
    const std::string_view bytes(worker_.scratch(), have);
    const std::size_t done = process_replies(bytes, out);
    if (server_ == nullptr || closing_) return;
    if (done < have) server.partial.assign(bytes.substr(done));
    if (!out.empty()) {
      note_progress();
      replied_ = true;
      if (!out.send()) return close();
    }
    if (server.pipeline.empty() && (unit_in_flight_ || mid_sequence_)) finish_unit();
    if (server_ != &server || !server.readable) break;
  }
  if (closing_ || wait_ != Wait::none) return;
  process_input();
  resume_reading();
}

void Session::inject(pools::Gather& out) {
  while (const auto entry = server_->pipeline.take_injection()) {
    out.add(entry->expected == Expected::parse ? protocol::kParseComplete : protocol::kCloseComplete);
    on_completed(*entry);
  }
}

/// Goes through the messages in `bytes`; returns how many bytes are done with. The rest is the start of a
/// message. Ends early when the unit has ended, or the server is no longer ours.
std::size_t Session::process_replies(std::string_view bytes, pools::Gather& out) {
  std::size_t done = 0;
  if (long_reply_left_ > 0) {
    done = std::min(long_reply_left_, bytes.size());
    if (!long_reply_swallowed_) out.add(bytes.substr(0, done));
    long_reply_left_ -= done;
    // Its end must not get lost with what follows it, if that is the server's end.
    if (long_reply_left_ == 0 && !out.send()) return close(), 0;
  }
  inject(out);
  while (bytes.size() - done >= protocol::kFrameHeader) {
    const auto frame = protocol::peek_frame(bytes.substr(done));
    if (!frame.valid()) return on_confused_server(), 0;
    const std::size_t there = bytes.size() - done;
    const bool whole = there >= frame.size;
    if (!whole && frame.size <= kMaxHeldReply) break;
    const std::size_t part = whole ? frame.size : there;
    Verdict verdict = Verdict::violation;
    replied_ = replied_ || out.has_sent();
    if (!on_reply(frame.type, bytes.substr(done + protocol::kFrameHeader, part - protocol::kFrameHeader),
                  whole, verdict)) {
      return 0;
    }
    if (draining_refusal_) {
      out.drop();
    } else if (verdict == Verdict::forward) {
      out.add(bytes.substr(done, part));
    }
    done += part;
    if (!whole) {
      long_reply_left_ = frame.size - part;
      long_reply_swallowed_ = verdict != Verdict::forward || draining_refusal_;
      break;
    }
    inject(out);
    // The unit is answered: whatever else is there is no answer to it.
    if (frame.type == 'Z' && server_->pipeline.empty()) break;
  }
  return done;
}

/// One message, or the start of a long one. False when the server is not ours any more.
bool Session::on_reply(char type, std::string_view body, bool whole, Verdict& verdict) {
  auto& pipeline = server_->pipeline;
  switch (type) {
    case 'N': {  // NoticeResponse
      const bool ours = !pipeline.empty() && pipeline.front().fate == Fate::swallow;
      verdict = ours || (whole && announces_end(body)) ? Verdict::swallow : Verdict::forward;
      return true;
    }
    case 'A':  // NotificationResponse
      verdict = pin_reason_ != nullptr || unit_pins_ ? Verdict::forward : Verdict::swallow;
      return true;
    case 'S': {  // ParameterStatus
      const std::size_t end = body.find('\0');
      if (!whole || end == std::string_view::npos) return on_confused_server(), false;
      const std::string_view name = body.substr(0, end);
      const std::string_view value = body.substr(end + 1, body.size() - end - 2);
      server_->note_parameter(name, value);
      const bool ours =
          name == "in_hot_standby" || pipeline.empty() || pipeline.front().fate == Fate::swallow;
      if (name == "in_hot_standby") worker_.shared().monitor.suspect(server_->node());
      verdict = ours ? Verdict::swallow : Verdict::forward;
      return true;
    }
    case 'E': {
      auto fate = whole ? judge_error(body) : ErrorFate::forward;
      if (fate == ErrorFate::lost || pipeline.empty()) return on_server_lost(), false;
      const bool settings_refused = pipeline.front().expected == Expected::query &&
                                    pipeline.front().fate == Fate::swallow && !draining_refusal_;
      verdict = pipeline.on_message('E');
      // Backwards: a name that was closed and parsed anew means again what it meant before.
      for (const auto& skipped : pipeline.skipped() | std::views::reverse) undo(skipped);
      if (settings_refused) {
        // The server refuses what the client asked for at its start: it cannot be served with these settings.
        protocol::ErrorFields fields;
        ClientError error{
            protocol::sqlstate::invalid_parameter_value, "the server refused the session's settings", {}, {}};
        if (protocol::parse_error_fields(body, fields) == protocol::Errc::ok) {
          error = {fields.code, std::string(fields.message), std::string(fields.detail),
                   std::string(fields.hint)};
        }
        drop_server();
        fail_session(error);
        return false;
      }
      unit_failed_ = true;
      if (pipeline.empty()) {
        // No Sync was sent yet: the server ignores everything up to it, also a Query that came behind.
        if (unit_held_) {
          in_.consume(unit_.size);
          unit_.clear();
          unit_held_ = false;
        }
        sequence_failed_ = mid_sequence_ = true;
        fate = ErrorFate::forward;
      }
      if (fate == ErrorFate::retry) {
        draining_refusal_ = true;
        pipeline.swallow_all();
      }
      return true;
    }
    case 'G': {  // CopyInResponse
      const bool extended = !pipeline.empty() && pipeline.front().expected == Expected::execute;
      verdict = pipeline.on_message(type);
      if (verdict == Verdict::violation) return on_confused_server(), false;
      // From here on the client's bytes are COPY data; they come behind the unit.
      if (unit_held_) in_.consume(unit_.size);
      unit_held_ = false;
      const auto end = unit_.end;
      unit_.clear();
      if (extended) {
        mid_sequence_ = true;
      } else {
        unit_.end = end;
      }
      return true;
    }
    default:
      verdict = pipeline.on_message(type);
      if (verdict == Verdict::violation) return on_confused_server(), false;
      if (type == 'C' && verdict == Verdict::forward) command_completed_ = true;
      if (type == 'Z') {
        if (!whole || body.size() != 1) return on_confused_server(), false;
        if (pipeline.completed()->fate == Fate::forward || own_sync_ || draining_refusal_) status_ = body[0];
        if (!(pipeline.completed()->fate == Fate::swallow &&
              pipeline.completed()->expected == Expected::query))
          mid_sequence_ = false;
      }
      if (type == 'C' && whole && body.size() > 1 && body[0] == 'D')
        on_discarded(body.substr(0, body.size() - 1));
      if (pipeline.completed()) on_completed(*pipeline.completed());
      return true;
  }
}

/// The server has run what ends all prepared statements, also ours: those sent behind it are there again.
void Session::on_discarded(std::string_view tag) {
  if (tag != "DISCARD ALL" && tag != "DEALLOCATE ALL") return;
  server_->prepared.clear();
  absl::erase_if(prepared_, [this](const auto& entry) {
    return std::none_of(changes_.begin(), changes_.end(), [&](const auto& change) {
      return !change.confirmed && change.closed.get() == nullptr && change.name == entry.first;
    });
  });
  for (const auto& change : changes_) {
    const bool to_come = !change.confirmed && !change.name.empty() && change.closed.get() == nullptr;
    if (to_come && change.id != 0) server_->prepared.restore(change.id);
  }
  // RESET ALL goes back to what this connection was opened with; the client's own start is applied anew.
  if (tag == "DISCARD ALL") server_->settings = worker_.settings().none();
}

void Session::on_completed(const Pipeline::Entry& entry) {
  if (entry.tag == 0 || entry.tag == kUnnamedTag) return;
  changes_[entry.tag - 1].confirmed = true;
}

/// The server did not carry out what was asked for: what it would have changed stays as it was.
void Session::undo(const Pipeline::Entry& entry) {
  if (entry.tag == kUnnamedTag) {
    unnamed_.clear();
    unnamed_on_server_ = false;
  }
  if (entry.tag == 0 || entry.tag == kUnnamedTag) return;
  auto& change = changes_[entry.tag - 1];
  if (entry.expected == Expected::parse) {
    if (entry.fate != Fate::inject) server_->prepared.forget(change.id);
    if (!change.name.empty()) prepared_.erase(change.name);
  } else if (entry.fate == Fate::swallow) {
    server_->prepared.restore(change.id);
  } else if (change.closed.get() != nullptr) {
    prepared_.insert_or_assign(change.name, std::move(change.closed));
  }
  change.name.clear();
}

Session::ErrorFate Session::judge_error(std::string_view body) {
  protocol::ErrorFields fields;
  if (protocol::parse_error_fields(body, fields) != protocol::Errc::ok) return ErrorFate::forward;
  const std::string_view code = fields.code.text();
  if (fields.severity == "FATAL" || fields.severity == "PANIC") {
    rolled_back_ = code == "57P01" && status_ == 'I' && !command_completed_ && attempts_ == 0;
    return ErrorFate::lost;
  }
  if (code == "25006" && sent_to_primary_ && server_->in_hot_standby())
    worker_.shared().monitor.suspect(server_->node());
  // The safety net: an autocommit read at a replica, of whose answer the client has had nothing.
  if (!unit_is_read_ || sent_to_primary_ || replied_ || !unit_held_ || !may_restart() || draining_refusal_) {
    return ErrorFate::forward;
  }
  if (code == "25006" || code == "0A000") {
    // What a standby cannot do: it writes, or reads what is not replicated (0A000, an unlogged table).
    remember_refusal();
    worker_.counters().retries[static_cast<std::size_t>(Retry::read_refused)].add();
    return ErrorFate::retry;
  }
  if (code == "40001" || code == "40P01" || code == "57P04") {
    worker_.counters().retries[static_cast<std::size_t>(Retry::recovery_conflict)].add();
    return ErrorFate::retry;
  }
  return ErrorFate::forward;
}

/// A server says that it is about to close the connection (57P01 at an immediate shutdown, 57P02 after a
/// crash), while it runs a read that can be sent again: the client need not know. With a write, 57P01 is a
/// warning to be told: the wait for synchronous replication was given up.
bool Session::announces_end(std::string_view body) const {
  protocol::ErrorFields fields;
  return can_be_sent_again() && protocol::parse_error_fields(body, fields) == protocol::Errc::ok &&
         fields.code.text().starts_with("57P0");
}

/// The statements of the unit go to the primary from now on.
void Session::remember_refusal() {
  const std::string_view bytes = in_.view();
  for (const auto& message : unit_.messages) {
    if (message.type == 'Q' && unit_.messages.size() == 1) {
      worker_.remember_refused(message.body(bytes).substr(0, message.size - protocol::kFrameHeader - 1));
    } else if (message.type == 'P' || message.type == 'B') {
      const std::string_view content = message.body(bytes);
      std::string_view rest = content.substr(content.find('\0') + 1);
      rest = rest.substr(0, rest.find('\0'));
      if (message.type == 'P') {
        worker_.remember_refused(rest);
      } else if (PreparedText* text = find_prepared(rest); text != nullptr) {
        text->refused_by_replica = true;
      }
    }
  }
}

/// Before anything of an answer leaves: raises the marks by what the answer shows, or did. routing/README.md,
/// rules 1, 2, 5 and 7.
void Session::note_progress() {
  if (!server_->pipeline.empty() || welcoming_ || draining_refusal_ || status_ != 'I' || mid_sequence_)
    return;
  auto& monitor = worker_.shared().monitor;
  if (!sent_to_primary_) {
    last_replica_ =
        routing::LastReplica{server_->node(), sent_incarnation_, pools::Reactor::Clock::now(), sent_at_};
    return;
  }
  const auto asked = monitor.positions().asked();
  seen_.raise(asked);
  // Whatever the last replica has shown is in what the primary shows now, if it was waited for.
  if (settled_) last_replica_.reset();
  if (unit_is_read_ || !unit_executes_) return;
  written_.raise(asked);
  monitor.want_primary_position(false);
}

/// Everything the unit asked for has been answered, and the answer has left.
void Session::finish_unit() {
  if (welcoming_) {
    unit_in_flight_ = false;
    return learn_welcome();
  }
  if (draining_refusal_) {
    if (status_ == 'I') {
      release_server();
    } else {
      drop_server();  // in the transaction that its BEGIN opened
      status_ = 'T';
    }
    primary_only_ = true;
    undo_changes(true);
    draining_refusal_ = replied_ = unit_failed_ = unit_in_flight_ = false;
    return begin_wait(Wait::retry, worker_.reactor().now());
  }
  if (mid_sequence_) {
    // Everything so far is answered, but the implicit transaction goes on until the client's Sync.
    unit_in_flight_ = false;
    changes_.clear();
    return;
  }
  if (own_sync_ && unit_failed_) skip_to_sync_ = true;
  held_begin_.clear();
  if (unit_pins_ && pin_reason_ == nullptr && (!unit_failed_ || command_completed_)) {
    pin_reason_ = "a statement left state in it";
    worker_.counters().pinned.add();
  }
  if (unit_pins_ && unit_failed_) server_doubtful_ = true;
  if (unit_changes_functions_) worker_.shared().monitor.want_catalog(group_->database);
  clear_unit();
  if (status_ == 'I' && pin_reason_ == nullptr) release_server();
}

void Session::on_confused_server() {
  worker_.shared().events.server_failed(server_->node_name(), group_->database, group_->user,
                                        "the server sent an unexpected message");
  const bool in_message = long_reply_left_ > 0 && !long_reply_swallowed_;
  drop_server();
  if (in_message) return close();
  fail_session(describe(Failure::server_confused));
}

}  // namespace tidemark::proxy
