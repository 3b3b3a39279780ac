#include <algorithm>
#include <cstring>
#include <ranges>
#include <thread>

#include "protocol/backend_messages.hpp"
#include "protocol/bytes.hpp"
#include "protocol/frame.hpp"
#include "proxy/session.hpp"
#include "proxy/session_limits.hpp"
#include "routing/mutation.hpp"

namespace tidemark::proxy {

using protocol::Expected;
using protocol::Fate;
using protocol::Pipeline;
using Verdict = protocol::Pipeline::Verdict;

namespace {
/// Of a reply that is passed on in parts, the first has at least this: a count stands behind the header.
constexpr std::size_t kLongReplyHead = protocol::kFrameHeader + 2;

/// Whether a message that came in one packet behind the end of a unit, as a notification may, is still to be
/// looked at: no event will tell of it.
bool has_left_over(const pools::ServerConnection& server) {
  if (server.partial.size() < protocol::kFrameHeader || !server.pipeline.empty()) return false;
  const auto frame = protocol::peek_frame(server.partial);
  return !frame.valid() || frame.size <= server.partial.size();
}

/// A NoticeResponse by which a server process says that it ends at once: at an immediate shutdown (57P01), or
/// because another one has crashed (57P02; both postgres.c, quickdie()). The client is told what that means
/// for its statement, if anything. Another warning with 57P01 tells of a wait for synchronous replication
/// that was given up, and is for the client.
bool announces_end(std::string_view body) {
  protocol::ErrorFields fields;
  return protocol::parse_error_fields(body, fields) == protocol::Errc::ok &&
         fields.code.text().starts_with("57P0") && fields.routine == "quickdie";
}

}  // namespace

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
    if (has_left_over(server)) {
      std::memcpy(worker_.scratch(), server.partial.data(), have);
      server.partial.clear();
    } else if (server.readable && have < Worker::kScratchSize) {
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

    pools::Gather out(client_, worker_.own_bytes(), record_.get());
    const std::string_view bytes(worker_.scratch(), have);
    const std::size_t done = process_replies(bytes, out);
    if (server_ != &server || closing_) return;
    if (done < have) server.partial.assign(bytes.substr(done));
    if (!out.empty()) {
      const bool late = routing::mutated(routing::Mutation::raised_after_the_reply);
      if (!late) note_progress();
      replied_ = true;
      if (!out.send()) return close();
      if (late) {
        std::this_thread::sleep_for(std::chrono::milliseconds(2));  // of a test's
        note_progress();
      }
    }
    if (server.pipeline.empty() && (unit_in_flight_ || mid_sequence_ || asking_)) finish_unit();
    if (server_ != &server || !(server.readable || has_left_over(server))) break;
  }
  if (closing_ || wait_ != Wait::none) return;
  process_input();
  resume_reading();
}

void Session::inject(pools::Gather& out) {
  while (const auto entry = server_->pipeline.take_injection()) {
    switch (entry->expected) {
      case Expected::parse:
        out.add(protocol::kParseComplete);
        break;
      case Expected::bind:
        out.add(protocol::kBindComplete);
        break;
      case Expected::describe:
        if (entry->tag == kStatementTag) out.add(protocol::kNoParameters);
        out.add(protocol::kNoData);
        break;
      case Expected::execute:
        out.add(protocol::kDeallocated);
        break;
      default:
        out.add(protocol::kCloseComplete);
        break;
    }
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
    // What is compared is read whole.
    const bool held =
        frame.size <= kMaxHeldReply || (frame.type == 'T' && frame.size <= Worker::kScratchSize);
    if (!whole && (held || there < kLongReplyHead)) break;
    const std::size_t part = whole ? frame.size : there;
    Verdict verdict = Verdict::violation;
    replied_ = replied_ || out.has_sent();
    if (!on_reply(frame.type, bytes.substr(done + protocol::kFrameHeader, part - protocol::kFrameHeader),
                  whole, verdict)) {
      return 0;
    }
    if (draining_refusal_) {
      out.drop();
    } else if (verdict == Verdict::forward && !rewritten_.empty()) [[unlikely]] {
      const std::size_t from = out.own().size();
      out.own().append(rewritten_);
      out.add_own(from);
    } else if (verdict == Verdict::forward) {
      out.add(bytes.substr(done, part));
    }
    rewritten_.clear();
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
      verdict = (tracker_.pins() | tracker_.touched()) != 0 ? Verdict::forward : Verdict::swallow;
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
      if (!ours) note_reported(name, value);
      return true;
    }
    case 'E': {
      if (copy_failed_ && is_our_copy_failure(body)) return protocol_error(kNoCopyData), false;
      const auto tag = pipeline.empty() ? 0 : pipeline.front().tag;
      auto fate = whole ? judge_error(body, tag) : ErrorFate::forward;
      if (fate == ErrorFate::ends_session) return pass_on_end(body), false;
      if (fate == ErrorFate::lost || pipeline.empty()) return on_server_lost(), false;
      verdict = pipeline.on_message('E');
      // Backwards: a name that was closed and parsed anew means again what it meant before.
      for (const auto& skipped : pipeline.skipped() | std::views::reverse)
        undo(skipped, &skipped == pipeline.skipped().data());
      if (tag == kSettingsTag && !draining_refusal_) return on_settings_refused(body), false;
      if (tag == kOutcomeTag) {
        protocol::ErrorFields fields;
        if (whole && protocol::parse_error_fields(body, fields) == protocol::Errc::ok)
          on_outcome(fields.code.text());
        return true;
      }
      if (tag == kQuestionTag) {
        tracker_.settle_unanswered();
        return true;
      }
      if (outdated_) {
        verdict = Verdict::swallow;  // whatever it is, it comes of running it all the same
        return true;
      }
      unit_failed_ = true;
      if (whole && fate == ErrorFate::forward && tag != kOutdatedTag && tag != kRefusedTag)
        name_statements(body, tag);
      if (comparing_ && fate == ErrorFate::forward && !pipeline.empty()) {
        // Told when the server is ready again.
        refused_ = std::exchange(rewritten_, {});
        if (refused_.empty()) protocol::Writer(refused_).open('E').bytes(body).close();
        verdict = Verdict::swallow;
        return true;
      }
      if (pipeline.empty()) {
        // No Sync was sent yet: the server ignores everything up to it, also a Query that came behind.
        if (unit_held_ && !comparing_) {
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
      const Pipeline::Entry answered = pipeline.empty() ? Pipeline::Entry{} : pipeline.front();
      verdict = pipeline.on_message(type);
      if (verdict == Verdict::violation) return on_confused_server(), false;
      if (answered.tag >= kDescribeTag && answered.tag < kRefusedTag &&
          answered.expected == Expected::describe) [[unlikely]]
        on_description(type, body, whole, answered);
      if (type == 'C' && verdict == Verdict::forward) {
        command_completed_ = true;
        commit_watch_.completed(body);
        rolled_back_by_tag_ = body.starts_with("ROLLBACK");
      }
      if (type == 'D' && asking_) on_question_row(body, whole);
      if (type == 'D' && answered.tag == kKeyTag) note_outcome_key(body, whole);
      if (type == 'D' && answered.tag == kOutcomeTag) {
        const auto values = whole ? protocol::parse_data_row(body) : std::nullopt;
        if (values && values->size() == 1 && (*values)[0]) on_outcome(*(*values)[0]);
      }
      if (type == 'Z') {
        if (!whole || body.size() != 1) return on_confused_server(), false;
        if (pipeline.completed()->fate == Fate::forward || own_sync_ || draining_refusal_ ||
            (comparing_ && held_begin_.empty()))
          status_ = body[0];
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

Session::ErrorFate Session::judge_error(std::string_view body, std::uint32_t tag) {
  protocol::ErrorFields fields;
  if (protocol::parse_error_fields(body, fields) != protocol::Errc::ok) return ErrorFate::forward;
  const std::string_view code = fields.code.text();
  if (fields.severity == "FATAL" || fields.severity == "PANIC") {
    if (ends_session(code) && !welcoming_ && !applying_) return ErrorFate::ends_session;
    // The server waited for a command for longer than idle_session_timeout, and closes before it reads one
    // (postgres.c, PostgresMain, step 5). Whose command it would have been has no part in that, unless the
    // connection is its own.
    if (code == "57P05" && tracker_.pinned()) return ErrorFate::ends_session;
    not_begun_ = code == "57P05" && status_ == 'I' && !mid_sequence_ && !replied_;
    // An interrupt is not taken between a commit and its CommandComplete (xact.c, CommitTransaction).
    rolled_back_ = code == "57P01" && !command_completed_;
    return ErrorFate::lost;
  }
  if (outdated_) return ErrorFate::forward;
  if (tag == kOutdatedTag || tag == kRefusedTag) {
    // In a failed transaction nothing is looked at, outdated or not.
    if (code == "25P02") return ErrorFate::forward;
    const ClientError error = own_error(tag);
    rewritten_.clear();
    protocol::append_error_response(rewritten_, {.code = error.code,
                                                 .message = error.message,
                                                 .detail = error.detail,
                                                 .hint = error.hint,
                                                 .routine = error.routine});
    return ErrorFate::forward;
  }
  if (heal_statements(fields)) return ErrorFate::retry;
  if (code == "25006" && sent_to_primary_ && server_->in_hot_standby())
    worker_.shared().monitor.suspect(server_->node());
  // The safety net: an autocommit read at a replica, of whose answer the client has had nothing.
  if (!unit_class_.is_read || sent_to_primary_ || replied_ || !unit_held_ || !may_restart() ||
      draining_refusal_) {
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

/// The answer to end_copy_in: whether the COPY was still going on.
bool Session::is_our_copy_failure(std::string_view body) {
  copy_failed_ = false;
  protocol::ErrorFields fields;
  return protocol::parse_error_fields(body, fields) == protocol::Errc::ok && fields.code.text() == "57014" &&
         fields.message.ends_with(kNoCopyData);
}

/// The server ends this very session, as it would end one without a proxy.
void Session::pass_on_end(std::string_view body) {
  if (record_ != nullptr) record_->forget();
  std::string out;
  protocol::Writer(out).open('E').bytes(body).close();
  drop_server();
  send_to_client(out);
  close();
}

/// Everything the unit asked for has been answered, and the answer has left.
void Session::finish_unit() {
  if (welcoming_) {
    unit_in_flight_ = false;
    return learn_welcome();
  }
  if (asking_) return settle_question();
  if (learning_outcome_) [[unlikely]]
    return settle_outcome();
  if (std::exchange(applying_, false)) {
    unit_in_flight_ = false;
    return send_unit();
  }
  if (outdated_) return on_result_changed();
  if (comparing_ && !draining_refusal_) return finish_comparison();
  if (draining_refusal_) {
    comparing_ = false;
    if (status_ == 'I') {
      release_server();
    } else {
      drop_server();  // in the transaction that its BEGIN opened
      status_ = held_begin_.empty() ? 'I' : 'T';
    }
    if (!std::exchange(healed_, false)) primary_only_ = true;
    undo_changes(true);
    draining_refusal_ = replied_ = unit_failed_ = unit_in_flight_ = false;
    return begin_wait(Wait::retry, worker_.reactor().now());
  }
  if (mid_sequence_) {
    // Everything so far is answered, but the implicit transaction goes on until the client's Sync.
    unit_in_flight_ = malformed_ahead_ = false;
    freed_from_.reset();
    changes_.clear();
    descriptions_.clear();
    return;
  }
  if (own_sync_ && unit_failed_) skip_to_sync_ = true;
  held_begin_.clear();
  if (record_ != nullptr && record_->phase() != TransactionRecord::Phase::none && !record_unit()) [[unlikely]]
    return;
  if (changed_functions_ && status_ == 'I') {
    changed_functions_ = false;
    worker_.functions_changed(*group_);
  }
  if (status_ != 'I' && worker_.shared().config.pool.mode == pools::PoolMode::statement) {
    drop_server();
    return fail_session(describe(Failure::transaction_in_statement_mode));
  }
  if (status_ == 'I' && unit_class_.executes && !unit_class_.is_read && sent_to_primary_) has_written_ = true;
  const bool succeeded = !unit_failed_;
  clear_unit();
  if (status_ != 'I') return;
  end_own_transaction(!rolled_back_by_tag_);
  if (!settle_state(succeeded)) return;
  if (!tracker_.pinned()) release_server();
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
