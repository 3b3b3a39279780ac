#include <algorithm>

#include "protocol/error_response.hpp"
#include "protocol/frame.hpp"
#include "protocol/frontend_messages.hpp"
#include "proxy/session.hpp"
#include "proxy/session_limits.hpp"

// A client that has asked what a statement gives (Describe of it, or of a portal) may go by the answer from
// then on and read rows by the types that it was told. After DDL PostgreSQL refuses to run the statement
// (0A000), but a server where it is first prepared after the change knows of none. So what each server tells
// is compared with what the client was told: in the same send where nothing but rows can come of the
// statement, else before the unit is sent.

namespace tidemark::proxy {

using protocol::Expected;
using protocol::Fate;
using protocol::StatementShape;
using End = protocol::Unit::End;
using namespace std::string_view_literals;

namespace {
/// What is sent in place of an outdated statement, to fail where it would. A failed transaction refuses it as
/// it refuses any statement.
constexpr std::string_view kFailingName = "tidemark_failing";
constexpr std::string_view kOutdatedDefinition =
    "TABLE tidemark.\"cached plan must not change result type\"\0\0\0"sv;
constexpr std::string_view kTooMuchDefinition = "TABLE tidemark.\"too many prepared statements\"\0\0\0"sv;
}  // namespace

/// The unit can do no harm: the comparison may come with its answer.
bool Session::compares_as_it_runs() const {
  return unit_class_.is_read && unit_class_.kind == UnitKind::read && status_ == 'I' && held_begin_.empty() &&
         !unit_class_.begins_read_only && !mid_sequence_ && unit_held_ && !unit_is_long_ &&
         unit_.end == End::sync;
}

/// The client asks for the types of the portal that it binds, in the same unit: it does not go by what it was
/// told.
bool Session::describes_portal(const protocol::BindView& bind) const {
  const std::string_view bytes = in_.view();
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(bytes);
    if (message.type != 'D' || body.data() <= bind.rest.data()) continue;
    const auto target = protocol::parse_target(body);
    if (target && target->kind == 'P' && target->name == bind.portal) return true;
  }
  return false;
}

bool Session::ensure_prepared(const protocol::BindView& bind, ClientStatements::Statement& own,
                              pools::Gather& out) {
  const StatementShape* there = server_->prepared.use(own.text->id);
  if (there != nullptr && own.told.is_known() && there->covers(own.told)) [[likely]]
    return true;
  learning_portal_ = bind.portal;
  learning_from_ = protocol::statement_name(bind.statement);
  if (there != nullptr && !own.told.is_known()) return true;
  const bool compares = own.told.has_rows() && !describes_portal(bind);
  const bool as_it_runs = compares_as_it_runs();
  if (there != nullptr && there->contradicts(own.told)) {
    // One of the two is outdated; it may be the server's.
    if (compares && !as_it_runs) return false;
    worker_.statements().renew(*own.text);
  }
  prepare_on_server(own, out);
  if (!compares) return true;
  if (!as_it_runs) return false;
  push_comparison(bind.statement, own.told, out);
  return true;
}

bool Session::ensure_unnamed(pools::Gather& out) {
  prepare_unnamed_on_server(out);
  const StatementShape& told = statements_.unnamed_told();
  if (!told.has_rows() || unnamed_shape_.covers(told)) return true;
  if (unnamed_shape_.is_known() || !compares_as_it_runs()) return false;
  push_comparison({}, told, out);
  return true;
}

/// A Describe of the statement is being sent; returns its tag.
std::uint32_t Session::note_description(std::string_view name, const StatementShape& told) {
  const auto* own = name.empty() ? nullptr : statements_.find(name);
  const std::uint64_t id = own != nullptr ? own->text->id : statements_.unnamed_number();
  descriptions_.push_back({std::string(name), id, told, {}, {}});
  return kDescribeTag + static_cast<std::uint32_t>(descriptions_.size() - 1);
}

/// Asks the server what it takes the statement for.
void Session::push_comparison(std::string_view name, const StatementShape& told, pools::Gather& out) {
  const auto* own = name.empty() ? nullptr : statements_.find(name);
  const std::size_t from = out.own().size();
  protocol::append_target(out.own(), 'D', 'S', own == nullptr ? std::string_view{} : own->text->server_name);
  out.add_own(from);
  server_->pipeline.push(Expected::describe, Fate::swallow, note_description(name, told));
}

void Session::push_outdated(pools::Gather& out) {
  push_failure(kOutdatedDefinition, kOutdatedTag, out);
}

/// … and of a Parse that a limit forbids.
void Session::push_refused_parse(Limit limit, pools::Gather& out) {
  reached_ = limit;
  worker_.counters().rejected(limit).add();
  push_failure(kTooMuchDefinition, kRefusedTag, out);
}

void Session::push_failure(std::string_view definition, std::uint32_t tag, pools::Gather& out) {
  const std::size_t from = out.own().size();
  protocol::append_parse(out.own(), kFailingName, definition);
  out.add_own(from);
  server_->pipeline.push(Expected::parse, Fate::forward, tag);
}

/// What the client is told where such a message has failed.
ClientError Session::own_error(std::uint32_t tag) const {
  return tag == kOutdatedTag ? describe(Failure::result_changed)
                             : limit_error(reached_, worker_.shared().config, limit_subject());
}

/// The limit that the client's next named statement would exceed.
std::optional<Limit> Session::statement_limit(const protocol::ParseView& parse) const {
  const auto& pool = worker_.shared().config.pool;
  if (statements_.size() >= pool.max_client_statements) return Limit::client_statements;
  const std::size_t more = parse.statement.size() + parse.definition.size();
  if (statements_.bytes() + more > static_cast<std::size_t>(pool.max_client_statement_memory))
    return Limit::client_statement_memory;
  return std::nullopt;
}

/// The statements with a result that the unit runs and of which the server has not told what the client
/// knows.
absl::InlinedVector<std::string_view, 4> Session::statements_to_compare() {
  absl::InlinedVector<std::string_view, 4> names;
  absl::InlinedVector<std::string_view, 4> others;  // names that the unit itself gives to something else
  const std::string_view bytes = in_.view();
  const auto consider = [&](std::string_view body) {
    const auto bind = protocol::parse_bind(body);
    if (!bind || std::find(others.begin(), others.end(), bind->statement) != others.end()) return;
    if (std::find(names.begin(), names.end(), bind->statement) != names.end()) return;
    if (bind->statement.empty()) {
      const StatementShape& told = statements_.unnamed_told();
      if (told.has_rows() && !(unnamed_on_server_ && unnamed_shape_.covers(told))) names.push_back({});
    } else if (const auto* own = statements_.find(bind->statement); own != nullptr && own->told.has_rows()) {
      const StatementShape* there = server_->prepared.find(own->text->id);
      if (there != nullptr && there->covers(own->told)) return;
      if (!describes_portal(*bind)) names.push_back(bind->statement);
    }
  };
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(bytes);
    if (message.type == 'B') {
      consider(body);
    } else if (message.type == 'P') {
      if (const auto parse = protocol::parse_parse(body)) others.push_back(parse->statement);
    } else if (message.type == 'C') {
      if (const auto target = protocol::parse_target(body); target && target->kind == 'S')
        others.push_back(target->name);
    }
  }
  if (unit_is_long_) {
    const auto head = unit_.next_head(bytes);
    if (head.type == 'B') consider(bytes.substr(head.offset + protocol::kFrameHeader));
  }
  return names;
}

bool Session::must_compare_first() {
  // A failed transaction refuses to prepare anything, and to run it.
  return status_ != 'E' && !compares_as_it_runs() && !statements_to_compare().empty();
}

/// Has the server prepare what the unit runs, and tell what it gives, before anything of the unit is sent.
void Session::compare_first() {
  comparing_ = unit_in_flight_ = true;
  refused_.clear();
  pools::Gather out(server_->socket, worker_.own_bytes());
  push_preparations(out);
  server_->prepared.begin_unit();
  for (const auto name : statements_to_compare()) {
    if (name.empty()) {
      prepare_unnamed_on_server(out);
      push_comparison({}, statements_.unnamed_told(), out);
      continue;
    }
    auto* own = statements_.find(name);
    if (const auto* there = server_->prepared.find(own->text->id);
        there != nullptr && there->contradicts(own->told))
      worker_.statements().renew(*own->text);
    prepare_on_server(*own, out);
    push_comparison(name, own->told, out);
  }
  if (mid_sequence_) {
    out.add(protocol::kFlush);  // what is open stays open
  } else {
    out.add(protocol::kSync);
    server_->pipeline.push(Expected::sync, Fate::swallow);
  }
  if (!out.send()) server_->readable = true;
  if (server_->readable) read_server();
}

/// All that was asked has been answered.
void Session::finish_comparison() {
  comparing_ = unit_in_flight_ = false;
  freed_from_.reset();
  changes_.clear();
  descriptions_.clear();
  if (sequence_failed_) return pass_sync_of_failed_sequence();
  if (refused_.empty()) {
    compared_ = true;
    return send_unit();
  }
  std::string& out = worker_.own_bytes();
  out.assign(refused_);
  refused_.clear();
  end_compared_unit(out);
}

/// A statement of the unit that is being answered gives another result than the client knows. A replica may
/// not have replayed a change, so the primary is asked before the client is told.
void Session::note_result_changed() {
  server_->pipeline.swallow_all();
  if (!sent_to_primary_ && !replied_ && attempts_ < kMaxAttempts) {
    ++attempts_;
    draining_refusal_ = true;
    worker_.counters().retries[static_cast<std::size_t>(Retry::prepared_anew)].add();
  } else {
    outdated_ = true;
  }
}

/// … and has been answered, unseen by the client.
void Session::on_result_changed() {
  outdated_ = false;
  const ClientError error = describe(Failure::result_changed);
  std::string& out = worker_.own_bytes();
  out.clear();
  protocol::append_error_response(out,
                                  {.code = error.code, .message = error.message, .routine = error.routine});
  end_compared_unit(out);
}

void Session::end_compared_unit(std::string& out) {
  const bool idle = status_ == 'I' || !held_begin_.empty();
  end_failed_unit(out, status_);
  if (!idle || closing_ || server_ == nullptr) return;
  if (status_ == 'I' && !settle_state(false)) return;
  if (!tracker_.pinned()) release_server();
}

/// A part of the answer to a Describe of a statement.
void Session::on_description(char type, std::string_view body, bool whole,
                             const protocol::Pipeline::Entry& entry) {
  Description& description = descriptions_[entry.tag - kDescribeTag];
  StatementShape& shape = description.shape;
  if (type == 't') {
    // What fits into the limit is always whole.
    const bool fits = whole && body.size() + protocol::kFrameHeader <= kMaxHeldReply;
    shape.parameters = protocol::parameters_shape(body, fits);
    if (fits && entry.fate == Fate::forward) description.types = body;
    return;
  }
  shape.result = type == 'T' ? protocol::result_shape(body, whole) : StatementShape::no_rows;
  const bool unnamed = description.name.empty();
  if (unnamed && description.id == statements_.unnamed_number()) unnamed_shape_ = shape;
  if (!unnamed) server_->prepared.describe(description.id, shape);
  if (entry.fate == Fate::swallow) {
    if (!comparing_ && !outdated_ && !draining_refusal_ && !shape.covers(description.told))
      note_result_changed();
    return;
  }
  if (unnamed) {
    if (description.id == statements_.unnamed_number()) statements_.unnamed_told() = shape;
    return;
  }
  auto* own = statements_.find(description.name);
  if (own == nullptr || own->text->id != description.id) return;
  own->told.learn(shape);
  PreparedText& text = *own->text;
  if (text.definition.ends_with(description.types) || text.parameters == shape.parameters) return;
  text.parameters = shape.parameters;
  text.typed_definition.assign(text.query()).append(1, '\0').append(description.types);
}

}  // namespace tidemark::proxy
