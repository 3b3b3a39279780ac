#include <algorithm>
#include <cctype>
#include <utility>

#include "protocol/frame.hpp"
#include "protocol/frontend_messages.hpp"
#include "proxy/session.hpp"
#include "proxy/session_limits.hpp"

namespace tidemark::proxy {

using protocol::Expected;
using protocol::Fate;
using End = protocol::Unit::End;
using routing::StatementClass;

namespace {

constexpr std::string_view kServerPrefix = "tidemark_";

/// The next word of `sql` in lower case, or a quoted identifier's content; empty at the end or at anything else.
std::string next_word(std::string_view& sql) {
  while (!sql.empty() && std::isspace(static_cast<unsigned char>(sql.front())) != 0) sql.remove_prefix(1);
  std::string word;
  if (!sql.empty() && sql.front() == '"') {
    const std::size_t end = sql.find('"', 1);
    if (end == std::string_view::npos) return {};
    word = sql.substr(1, end - 1);
    sql.remove_prefix(end + 1);
    return word;
  }
  while (!sql.empty() && (std::isalnum(static_cast<unsigned char>(sql.front())) != 0 || sql.front() == '_' || sql.front() == '$')) {
    word += static_cast<char>(std::tolower(static_cast<unsigned char>(sql.front())));
    sql.remove_prefix(1);
  }
  return word;
}

void append_command_complete(std::string& out, std::string_view tag) {
  out.push_back('C');
  const auto length = static_cast<std::uint32_t>(4 + tag.size() + 1);
  for (const int shift : {24, 16, 8, 0}) out.push_back(static_cast<char>(length >> shift));
  out.append(tag).push_back('\0');
}

/// What PostgreSQL parses in a failed transaction: its end, the way back to a savepoint, and nothing.
bool may_be_parsed_when_failed(std::string_view sql) {
  const auto classification = routing::classify(sql, nullptr);
  if (classification.several) return false;
  switch (classification.statement) {
    case StatementClass::empty:
    case StatementClass::end:
      return true;
    case StatementClass::transaction_local:
      return next_word(sql) == "rollback";
    default:
      return false;
  }
}

bool at_end(std::string_view sql) {
  return sql.find_first_not_of(" \t\r\n\f;") == std::string_view::npos;
}

}  // namespace

void Session::begin_unit() {
  arrived_ = worker_.reactor().now();
  attempts_ = 0;
  primary_only_ = unvouched_ = replied_ = unit_failed_ = own_sync_ = rolled_back_ = command_completed_ = false;
  unit_held_ = true;
  if (sequence_failed_) return pass_sync_of_failed_sequence();
  if (failed_transaction_ || transaction_lost_) return answer_failed_transaction();
  if (!classify_unit()) return;
  if (server_ != nullptr) {
    // Statements prepared by protocol messages are the proxy's also while a server is held.
    if (unit_pins_ && !mid_sequence_ && status_ != 'E' && answer_locally()) return;
    return send_unit();
  }
  if (answer_locally() || hold_begin()) return;
  route();
}

/// The server answered an error in a sequence whose Sync had not come: it ignores everything up to the Sync, so
/// nothing else of the client's needs to go there.
void Session::pass_sync_of_failed_sequence() {
  if (unit_.end != End::sync) {
    in_.consume(unit_.size);
    unit_.clear();
    unit_held_ = false;
    return;
  }
  sequence_failed_ = mid_sequence_ = false;
  server_->pipeline.push(Expected::sync, Fate::forward);
  unit_in_flight_ = true;
  if (!server_->socket.send(protocol::kSync)) {
    server_->readable = true;
    read_server();
  }
}

/// A unit whose last message is too long to be held: nothing is known of its end, so it is a write.
void Session::begin_long_unit() {
  const auto head = unit_.next_head(in_.view());
  if (head.size == 0 || (head.type != 'Q' && head.type != 'B' && head.type != 'P' && head.type != 'F')) {
    return protocol_error("message too long");
  }
  if (failed_transaction_ || transaction_lost_) {
    // Nothing of it is run; the error is told now and the message is dropped as it comes.
    unit_held_ = unit_is_long_ = true;
    const bool lost = std::exchange(transaction_lost_, false);
    failed_transaction_ = true;
    return fail_unit(describe(lost ? Failure::transaction_lost : Failure::in_failed_transaction), 'E');
  }
  if (sequence_failed_) {
    long_message_left_ = head.size;
    long_message_ends_unit_ = false;
    discard_long_message_ = true;
    return unit_.clear();
  }
  arrived_ = worker_.reactor().now();
  attempts_ = 0;
  replied_ = unit_failed_ = own_sync_ = rolled_back_ = command_completed_ = false;
  primary_only_ = unvouched_ = false;
  if (!classify_unit()) return;
  if (head.type == 'B') {
    const auto bind = protocol::parse_bind(in_.view().substr(protocol::kFrameHeader));
    const PreparedText* text = bind ? find_prepared(bind->statement) : nullptr;
    if (text != nullptr) {
      add_class(routing::classify(text->query(), group_->catalog));
    } else if (!unnamed_.empty()) {
      add_class(routing::classify(std::string_view(unnamed_).substr(0, unnamed_.find('\0')), group_->catalog));
    }
  } else if (head.type != 'F') {
    // Nobody has read what it leaves in its session.
    unit_pins_ = true;
    unit_may_open_ = head.type == 'Q';
  }
  unit_is_read_ = false;
  unit_executes_ = true;
  unit_is_long_ = true;
  unit_held_ = true;
  unit_kind_ = status_ == 'I' ? UnitKind::write : UnitKind::in_transaction;
  if (server_ != nullptr) return send_unit();
  route();
}

void Session::add_class(const routing::Classification& classification) {
  unit_pins_ = unit_pins_ || classification.leaves_session_state;
  unit_changes_functions_ = unit_changes_functions_ || classification.changes_functions;
  UnitKind kind = UnitKind::write;
  switch (classification.statement) {
    case StatementClass::empty:
      return;
    case StatementClass::read:
    case StatementClass::begin_read_only:
      return;
    case StatementClass::begin:
      kind = UnitKind::begin;
      break;
    case StatementClass::end:
      kind = classification.is_commit ? UnitKind::commit : UnitKind::rollback;
      break;
    case StatementClass::write:
    case StatementClass::transaction_local:
    case StatementClass::session_state:
      break;
  }
  const bool first = unit_is_read_;
  unit_is_read_ = false;
  if (classification.several || classification.may_commit) {
    kind = UnitKind::commit;
    unit_may_open_ = unit_may_open_ || (classification.several && classification.may_commit);
  }
  // Several statements: a COMMIT among them decides what its loss means; BEGIN and ROLLBACK count only alone.
  if (first) {
    unit_kind_ = kind;
  } else if (kind == UnitKind::commit || unit_kind_ == UnitKind::commit) {
    unit_kind_ = UnitKind::commit;
  } else if (unit_kind_ == UnitKind::begin || unit_kind_ == UnitKind::opens || kind == UnitKind::begin) {
    unit_kind_ = UnitKind::opens;
  } else {
    unit_kind_ = UnitKind::write;
  }
}

PreparedText* Session::find_prepared(std::string_view name) {
  const auto found = prepared_.find(name);
  return found == prepared_.end() ? nullptr : found->second.get();
}

const routing::Classification& Session::classification_of(PreparedText& text) {
  if (text.classified_with != worker_.catalog_generation()) {
    text.classification = routing::classify(text.query(), group_->catalog);
    text.classified_with = worker_.catalog_generation();
  }
  return text.classification;
}

/// Sets what is known of the unit. False when it is malformed, which has been told.
bool Session::classify_unit() {
  const bool continues = mid_sequence_;
  unit_is_read_ = true;
  unit_kind_ = UnitKind::read;
  if (!continues) unit_pins_ = unit_changes_functions_ = unit_executes_ = unit_may_open_ = false;
  const std::string_view bytes = in_.view();
  bool parses_unnamed = false;
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(bytes);
    switch (message.type) {
      case 'Q': {
        const auto sql = protocol::parse_query(body);
        if (!sql) return protocol_error("malformed Query"), false;
        unit_executes_ = true;
        add_class(routing::classify(*sql, group_->catalog));
        if (unit_is_read_ && worker_.is_refused(*sql)) primary_only_ = true;
        break;
      }
      case 'P': {
        const auto parse = protocol::parse_parse(body);
        if (!parse) return protocol_error("malformed Parse"), false;
        parses_unnamed = parses_unnamed || parse->statement.empty();
        add_class(routing::classify(parse->query, group_->catalog));
        if (unit_is_read_ && worker_.is_refused(parse->query)) primary_only_ = true;
        break;
      }
      case 'B': {
        const auto bind = protocol::parse_bind(body);
        if (!bind) return protocol_error("malformed Bind"), false;
        if (PreparedText* text = find_prepared(bind->statement); text != nullptr) {
          add_class(classification_of(*text));
          primary_only_ = primary_only_ || text->refused_by_replica;
        } else if (bind->statement.empty() && !unnamed_.empty() && !parses_unnamed) {
          add_class(routing::classify(std::string_view(unnamed_).substr(0, unnamed_.find('\0')), group_->catalog));
        }
        break;
      }
      case 'D':
      case 'C':
        if (!protocol::parse_target(body)) return protocol_error("malformed Describe or Close"), false;
        break;
      case 'E':
        unit_executes_ = true;
        break;
      case 'F':
        unit_executes_ = true;
        unit_is_read_ = false;
        unit_kind_ = UnitKind::write;
        break;
      default:
        break;
    }
  }
  if (unit_.end == End::flush && !continues && status_ == 'I') {
    // Parse, Describe and Close leave no transaction behind: a Sync of ours ends them, and what follows is
    // routed by itself. Anything else that is flushed must stay on one server until the client's Sync.
    const bool only_prepares = std::all_of(unit_.messages.begin(), unit_.messages.end(), [&](const auto& message) {
      return message.type == 'P' || message.type == 'C' || message.type == 'H' ||
             (message.type == 'D' && message.body(bytes)[0] == 'S');
    });
    own_sync_ = only_prepares;
    if (!only_prepares) unit_is_read_ = false;
  }
  if (continues || unit_.end == End::partial) unit_is_read_ = false;
  if (!unit_is_read_ && unit_kind_ == UnitKind::read) unit_kind_ = UnitKind::write;
  if (continues && unit_kind_ == UnitKind::begin) unit_kind_ = UnitKind::opens;
  const bool first_of_transaction = !held_begin_.empty() && unit_is_read_;
  if (status_ != 'I' && unit_kind_ != UnitKind::commit && unit_kind_ != UnitKind::rollback && !first_of_transaction) {
    unit_kind_ = UnitKind::in_transaction;
  }
  return true;
}

/// DEALLOCATE of statements that were prepared by protocol messages, which live here and not in a server, and
/// DISCARD ALL of a session that has no state in a server. True when done; `tag` is then the command's tag.
bool Session::forget_statements(std::string_view sql, std::string& tag) {
  const std::string first = next_word(sql);
  if (first == "discard") {
    if (next_word(sql) != "all" || !at_end(sql) || pin_reason_ != nullptr || status_ != 'I') return false;
    prepared_.clear();
    unnamed_.clear();
    tag = "DISCARD ALL";
    return true;
  }
  if (first != "deallocate") return false;
  std::string_view behind = sql;
  const std::string word = next_word(behind);
  if (word == "prepare") sql = behind;
  const bool quoted = sql.find('"') != std::string_view::npos;
  const std::string name = next_word(sql);
  if (name.empty() || !at_end(sql)) return false;
  if (name == "all" && !quoted) {
    if (pin_reason_ != nullptr) return false;
    prepared_.clear();
    tag = "DEALLOCATE ALL";
    return true;
  }
  if (prepared_.erase(name) == 0) return false;
  tag = "DEALLOCATE";
  return true;
}

/// Answers what needs no server. True when done.
bool Session::answer_locally() {
  if (unit_executes_ && !unit_pins_) return false;
  const std::string_view bytes = in_.view();
  std::string out;
  std::string tag;
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(bytes);
    switch (message.type) {
      case 'Q': {
        const auto sql = protocol::parse_query(body);
        if (unit_.messages.size() > 1 || !sql || !forget_statements(*sql, tag)) return false;
        append_command_complete(out, tag);
        out.append("Z\0\0\0\5", 5).push_back(status_);
        break;
      }
      case 'P': {
        // DEALLOCATE as drivers send it: the unnamed statement, bound and executed once, in one unit.
        const auto parse = protocol::parse_parse(body);
        if (&message != unit_.messages.begin() || !parse || !parse->statement.empty() || unit_.end != End::sync ||
            !unit_executes_ || !forget_statements(parse->query, tag)) {
          return false;
        }
        unnamed_.assign(parse->definition);
        unnamed_on_server_ = false;
        out.append("1\0\0\0\4", 5);
        break;
      }
      case 'B':
        if (tag.empty()) return false;
        out.append("2\0\0\0\4", 5);
        break;
      case 'D':
        if (tag.empty()) return false;
        if (body[0] == 'S') out.append("t\0\0\0\6\0\0", 7);
        out.append("n\0\0\0\4", 5);
        break;
      case 'E':
        if (tag.empty()) return false;
        append_command_complete(out, tag);
        break;
      case 'C': {
        const auto target = protocol::parse_target(body);
        if (target->kind == 'S') {
          if (target->name.empty()) {
            unnamed_.clear();
          } else {
            prepared_.erase(std::string(target->name));
          }
        }
        out.append("3\0\0\0\4", 5);
        break;
      }
      case 'S':
        out.append("Z\0\0\0\5", 5).push_back(status_);
        break;
      case 'H':
        break;
      default:
        return false;
    }
  }
  clear_unit();
  send_to_client(out);
  return true;
}

/// BEGIN … READ ONLY is answered here and sent with the first statement: that one chooses the node, a round trip is
/// saved, and a node lost before its answer costs the client nothing. True when held, or ended without a server.
bool Session::hold_begin() {
  const auto& message = unit_.messages.front();
  if (message.type != 'Q' || unit_.messages.size() != 1) return false;
  const auto sql = protocol::parse_query(message.body(in_.view()));
  if (!sql) return false;
  if (!held_begin_.empty()) {
    if (!ends_transaction(*sql)) return false;
    const bool commits = routing::classify(*sql, nullptr).is_commit;
    held_begin_.clear();
    answer_end(commits ? "COMMIT" : "ROLLBACK");
    return true;
  }
  if (status_ != 'I' || routing::classify(*sql, nullptr).statement != StatementClass::begin_read_only) return false;
  std::string_view words = *sql;
  const std::string_view tag = next_word(words) == "begin" ? "BEGIN" : "START TRANSACTION";
  held_begin_ = *sql;
  status_ = 'T';
  std::string out;
  append_command_complete(out, tag);
  out.append("Z\0\0\0\5T", 6);
  clear_unit();
  send_to_client(out);
  return true;
}

/// One statement that a server which says 57P01 before its CommandComplete has rolled back for certain: no CALL, DO,
/// utility command or transaction control, nothing that leaves state.
bool Session::is_plain_statement() {
  std::string_view sql;
  std::size_t statements = 0;
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(in_.view());
    if (message.type == 'Q') {
      if (const auto query = protocol::parse_query(body)) sql = *query;
      ++statements;
    } else if (message.type == 'P') {
      if (const auto parse = protocol::parse_parse(body)) sql = parse->query;
    } else if (message.type == 'B') {
      const auto bind = protocol::parse_bind(body);
      if (const PreparedText* text = bind ? find_prepared(bind->statement) : nullptr) sql = text->query();
    } else if (message.type == 'E') {
      ++statements;
    } else if (message.type == 'F') {
      return false;
    }
  }
  if (statements != 1 || sql.empty()) return false;
  const auto classification = routing::classify(sql, group_->catalog);
  if (classification.several || classification.may_commit || classification.leaves_session_state) return false;
  const std::string word = next_word(sql);
  return word == "insert" || word == "update" || word == "delete" || word == "merge" || word == "select" || word == "with";
}

void Session::apply_settings(pools::Gather& out) {
  const std::string change = pools::settings_change(*server_->settings, *settings_);
  server_->settings = settings_;
  if (change.empty()) return;
  const std::size_t from = out.own().size();
  protocol::append_query(out.own(), change);
  out.add_own(from);
  server_->pipeline.push(Expected::query, Fate::swallow);
}

void Session::push_eviction(pools::StatementId id, pools::Gather& out) {
  protocol::append_target(out.own(), 'C', 'S', pools::server_statement_name(id));
  changes_.push_back({{}, id, {}});
  server_->pipeline.push(Expected::close, Fate::swallow, static_cast<std::uint32_t>(changes_.size()));
}

void Session::ensure_prepared(PreparedText& text, pools::Gather& out) {
  if (server_->prepared.use(text.id)) return;
  const std::size_t from = out.own().size();
  const auto limit = worker_.shared().config.pool.max_prepared_statements;
  if (const auto evicted = server_->prepared.add(text.id, limit)) {
    push_eviction(*evicted, out);
  }
  protocol::append_parse(out.own(), pools::server_statement_name(text.id), text.definition);
  out.add_own(from);
  changes_.push_back({{}, text.id, {}});
  server_->pipeline.push(Expected::parse, Fate::swallow, static_cast<std::uint32_t>(changes_.size()));
}

void Session::ensure_unnamed(pools::Gather& out) {
  if (unnamed_on_server_) return;
  const std::size_t from = out.own().size();
  if (unnamed_.empty()) {
    // The client has none, but the server may still have another client's.
    protocol::append_target(out.own(), 'C', 'S', {});
    server_->pipeline.push(Expected::close, Fate::swallow);
  } else {
    protocol::append_parse(out.own(), {}, unnamed_);
    server_->pipeline.push(Expected::parse, Fate::swallow, kUnnamedTag);
  }
  out.add_own(from);
  unnamed_on_server_ = true;
}

std::string Session::server_name(std::string_view name, pools::Gather& out) {
  if (PreparedText* text = find_prepared(name); text != nullptr) {
    ensure_prepared(*text, out);
    return pools::server_statement_name(text->id);
  }
  // Unknown to us: made by SQL PREPARE in a pinned session, or by nobody, which the server will say. It must not
  // meet a name of our own.
  std::string own(name);
  if (name.starts_with(kServerPrefix)) own.insert(own.begin(), '_');
  return own;
}

void Session::push_parse(const protocol::ParseView& parse, std::string_view whole, pools::Gather& out) {
  if (parse.statement.empty()) {
    unnamed_.assign(parse.definition);
    unnamed_on_server_ = true;
    out.add(whole);
    server_->pipeline.push(Expected::parse, Fate::forward, kUnnamedTag);
    return;
  }
  std::string name(parse.statement);
  if (PreparedText* existing = find_prepared(name); existing != nullptr) {
    // The name is taken: the server says so, in its place among the answers.
    ensure_prepared(*existing, out);
    const std::size_t from = out.own().size();
    protocol::append_parse(out.own(), pools::server_statement_name(existing->id), parse.definition);
    out.add_own(from);
    server_->pipeline.push(Expected::parse, Fate::forward);
    return;
  }
  auto text = worker_.statements().refer(parse.definition, group_->database);
  const pools::StatementId id = text->id;
  prepared_.emplace(name, std::move(text));
  // In a failed transaction the server refuses every Parse but that of its end, whatever it has prepared.
  const bool refused = status_ == 'E' && !may_be_parsed_when_failed(parse.query);
  const bool known = server_->prepared.use(id);
  const bool there = known && !refused;
  if (refused) {
    // Unless the transaction ends before it, in the same pipeline: then the server has it.
    server_->prepared.restore(id);
    const std::size_t from = out.own().size();
    protocol::append_parse(out.own(), pools::server_statement_name(id), parse.definition);
    out.add_own(from);
  } else if (!there) {
    const std::size_t from = out.own().size();
    if (const auto evicted = server_->prepared.add(id, worker_.shared().config.pool.max_prepared_statements)) {
      push_eviction(*evicted, out);
    }
    protocol::append_parse(out.own(), pools::server_statement_name(id), parse.definition);
    out.add_own(from);
  }
  changes_.push_back({std::move(name), refused && known ? 0 : id, {}});
  server_->pipeline.push(Expected::parse, there ? Fate::inject : Fate::forward,
                         static_cast<std::uint32_t>(changes_.size()));
}

void Session::push_bind(std::string_view whole, pools::Gather& out) {
  const auto bind = protocol::parse_bind(whole.substr(protocol::kFrameHeader));
  if (bind->statement.empty()) {
    ensure_unnamed(out);
    out.add(whole);
  } else {
    const std::string name = server_name(bind->statement, out);
    const std::size_t from = out.own().size();
    protocol::append_bind_head(out.own(), bind->portal, name, bind->rest.size());
    out.add_own(from);
    out.add(bind->rest);
  }
  server_->pipeline.push(Expected::bind, Fate::forward);
}

void Session::push_target(char type, std::string_view whole, pools::Gather& out) {
  const auto target = protocol::parse_target(whole.substr(protocol::kFrameHeader));
  const Expected expected = type == 'D' ? Expected::describe : Expected::close;
  const bool unnamed = target->kind == 'S' && target->name.empty();
  if (unnamed && type == 'D') ensure_unnamed(out);
  if (unnamed && type == 'C') unnamed_.clear();
  if (target->kind == 'P' || unnamed) {
    out.add(whole);
  } else if (type == 'C' && find_prepared(target->name) != nullptr) {
    // Only this client's name for it ends; the server's statement may serve others.
    const auto place = prepared_.find(target->name);
    changes_.push_back({place->first, 0, std::move(place->second)});
    prepared_.erase(place);
    server_->pipeline.push(expected, Fate::inject, static_cast<std::uint32_t>(changes_.size()));
    return;
  } else {
    const std::string name = server_name(target->name, out);
    const std::size_t from = out.own().size();
    protocol::append_target(out.own(), type, 'S', name);
    out.add_own(from);
  }
  server_->pipeline.push(expected, Fate::forward);
}

void Session::push_message(const protocol::FrontendMessage& message, std::string_view bytes, pools::Gather& out) {
  const std::string_view whole = message.whole(bytes);
  auto& pipeline = server_->pipeline;
  switch (message.type) {
    case 'Q':
      unnamed_.clear();  // a Query ends the unnamed statement (manual: "Extended Query")
      unnamed_on_server_ = false;
      pipeline.push(Expected::query, Fate::forward);
      break;
    case 'P':
      return push_parse(*protocol::parse_parse(message.body(bytes)), whole, out);
    case 'B':
      return push_bind(whole, out);
    case 'D':
    case 'C':
      return push_target(message.type, whole, out);
    case 'E':
      pipeline.push(Expected::execute, Fate::forward);
      break;
    case 'S':
      pipeline.push(Expected::sync, Fate::forward);
      break;
    case 'F':
      pipeline.push(Expected::function_call, Fate::forward);
      break;
    case 'H':
      if (!own_sync_) break;
      pipeline.push(Expected::sync, Fate::swallow);
      out.add(protocol::kSync);
      return;
    default:
      return;
  }
  out.add(whole);
}

/// The message that is too long to be held: what is there of it goes out now, the rest as it comes.
void Session::push_long_head(pools::Gather& out) {
  const auto head = unit_.next_head(in_.view());
  const std::string_view there = in_.view().substr(unit_.size);
  long_message_left_ = head.size - there.size();
  long_message_ends_unit_ = head.type == 'Q' || head.type == 'F';
  auto& pipeline = server_->pipeline;
  if (head.type == 'Q') {
    unnamed_.clear();
    unnamed_on_server_ = false;
    pipeline.push(Expected::query, Fate::forward);
    out.add(there);
  } else if (head.type == 'F') {
    pipeline.push(Expected::function_call, Fate::forward);
    out.add(there);
  } else if (head.type == 'P') {
    // Too long to be kept, so it can only be the unnamed statement, and only until another server is needed.
    unnamed_.clear();
    unnamed_on_server_ = true;
    pipeline.push(Expected::parse, Fate::forward, kUnnamedTag);
    out.add(there);
  } else {
    const auto bind = protocol::parse_bind(there.substr(protocol::kFrameHeader));
    if (bind->statement.empty()) {
      ensure_unnamed(out);
      out.add(there);
    } else {
      const std::string name = server_name(bind->statement, out);
      const std::size_t from = out.own().size();
      protocol::append_bind_head(out.own(), bind->portal, name, bind->rest.size() + long_message_left_);
      out.add_own(from);
      out.add(bind->rest);
    }
    pipeline.push(Expected::bind, Fate::forward);
  }
}

void Session::send_unit() {
  if (unit_is_long_) {
    const auto head = unit_.next_head(in_.view());
    const std::string_view body = in_.view().substr(std::min(in_.size(), head.offset + protocol::kFrameHeader));
    // The names stand first; without them the message cannot be passed on.
    if ((head.type == 'B' && !protocol::parse_bind(body)) || (head.type == 'P' && (body.empty() || body[0] != '\0'))) {
      return head.type == 'P' ? fail_session(describe(Failure::statement_too_long, "16 MB"))
                              : protocol_error("malformed Bind");
    }
  }
  pools::Gather out(server_->socket, worker_.own_bytes());
  if (server_->settings != settings_) [[unlikely]] apply_settings(out);
  if (!held_begin_.empty()) {
    const std::size_t from = out.own().size();
    protocol::append_query(out.own(), held_begin_);
    out.add_own(from);
    server_->pipeline.push(Expected::query, Fate::swallow);
  }
  server_->prepared.begin_unit();
  const std::string_view bytes = in_.view();
  for (const auto& message : unit_.messages) push_message(message, bytes, out);
  if (unit_is_long_) [[unlikely]] push_long_head(out);
  unit_in_flight_ = true;
  // A broken connection is told by its next read, which comes at once.
  if (!out.send()) server_->readable = true;
  if (unit_is_long_) {
    in_.clear();
    const bool ends = long_message_ends_unit_;
    unit_.clear();
    if (ends) unit_.end = End::query;
    unit_held_ = unit_is_long_ = false;
    mid_sequence_ = !ends || long_message_left_ > 0;
  } else if ((unit_.end == End::flush && !own_sync_) || unit_.end == End::partial) {
    in_.consume(unit_.size);
    unit_.clear();
    unit_held_ = false;
    mid_sequence_ = true;
  } else {
    mid_sequence_ = false;
  }
  if (server_->readable || (!server_->pipeline.empty() && server_->pipeline.front().fate == Fate::inject)) read_server();
}

bool Session::ends_transaction(std::string_view sql) const {
  const auto classification = routing::classify(sql, nullptr);
  if (classification.statement != StatementClass::end || classification.several) return false;
  // AND CHAIN would open another one.
  return std::search(sql.begin(), sql.end(), std::begin("chain"), std::end("chain") - 1, [](char a, char b) {
           return std::tolower(static_cast<unsigned char>(a)) == b;
         }) == sql.end();
}

/// The session is in a transaction that was lost with its server: as with PostgreSQL, nothing runs until the
/// client has ended it.
void Session::answer_failed_transaction() {
  const bool lost = std::exchange(transaction_lost_, false);
  failed_transaction_ = true;
  status_ = 'E';
  const std::string_view bytes = in_.view();
  const auto& first = unit_.messages.front();
  if (first.type == 'Q') {
    const auto sql = protocol::parse_query(first.body(bytes));
    if (!sql) return protocol_error("malformed Query");
    if (!ends_transaction(*sql)) {
      return fail_unit(describe(lost ? Failure::transaction_lost : Failure::in_failed_transaction), 'E');
    }
    failed_transaction_ = false;
    if (lost && routing::classify(*sql, nullptr).is_commit) return fail_unit(describe(Failure::transaction_lost), 'I');
    return answer_end("ROLLBACK");
  }
  const bool calls = std::any_of(unit_.messages.begin(), unit_.messages.end(), [](const auto& message) {
    return message.type == 'F' || message.type == 'Q';
  });
  if (calls || (lost && unit_.end != End::flush)) {
    // Told once, whatever the statement is; a ROLLBACK ends the transaction all the same.
    bool ends = false;
    for (const auto& message : unit_.messages) {
      if (message.type == 'P') {
        const auto parse = protocol::parse_parse(message.body(bytes));
        ends = ends || (parse && ends_transaction(parse->query));
      } else if (message.type == 'B') {
        const auto bind = protocol::parse_bind(message.body(bytes));
        const PreparedText* text = bind ? find_prepared(bind->statement) : nullptr;
        ends = ends || (text != nullptr && ends_transaction(text->query()));
      }
    }
    if (calls) ends = false;
    if (ends) failed_transaction_ = false;
    return fail_unit(describe(lost ? Failure::transaction_lost : Failure::in_failed_transaction), ends ? 'I' : 'E');
  }
  answer_failed_sequence(lost, "ROLLBACK");
}

/// The end of a transaction that no server has any more, as a server answers it.
void Session::answer_end(std::string_view tag) {
  if (unit_.messages.front().type != 'Q') return answer_failed_sequence(false, tag);
  failed_transaction_ = false;
  status_ = 'I';
  std::string out;
  append_command_complete(out, tag);
  out.append("Z\0\0\0\5I", 6);
  clear_unit();
  send_to_client(out);
}

void Session::answer_failed_sequence(bool lost, std::string_view tag) {
  std::string out;
  const std::string_view bytes = in_.view();
  for (const auto& message : unit_.messages) {
    const std::string_view body = message.body(bytes);
    bool allowed = true;
    switch (message.type) {
      case 'P': {
        const auto parse = protocol::parse_parse(body);
        if (!parse) return protocol_error("malformed Parse");
        allowed = ends_transaction(parse->query);
        if (!allowed) break;
        if (parse->statement.empty()) {
          unnamed_.assign(parse->definition);
        } else {
          prepared_.insert_or_assign(std::string(parse->statement),
                                     worker_.statements().refer(parse->definition, group_->database));
        }
        out.append("1\0\0\0\4", 5);
        break;
      }
      case 'B': {
        const auto bind = protocol::parse_bind(body);
        if (!bind) return protocol_error("malformed Bind");
        const PreparedText* text = find_prepared(bind->statement);
        const std::string_view sql = text != nullptr ? text->query() : std::string_view(unnamed_).substr(0, unnamed_.find('\0'));
        allowed = ends_transaction(sql);
        ending_bound_ = allowed;
        if (allowed) out.append("2\0\0\0\4", 5);
        break;
      }
      case 'D':
        if (!body.empty() && body[0] == 'S') out.append("t\0\0\0\6\0\0", 7);
        out.append("n\0\0\0\4", 5);
        break;
      case 'E':
        // Of a portal that was opened before the transaction failed: gone with it.
        allowed = std::exchange(ending_bound_, false);
        if (!allowed) break;
        append_command_complete(out, tag);
        failed_transaction_ = false;
        status_ = 'I';
        break;
      case 'C':
        out.append("3\0\0\0\4", 5);
        break;
      case 'S':
        out.append("Z\0\0\0\5", 5).push_back(status_);
        break;
      default:
        break;
    }
    if (!allowed) {
      send_to_client(out);
      if (closing_) return;
      ending_bound_ = false;
      return fail_unit(describe(lost ? Failure::transaction_lost : Failure::in_failed_transaction),
                       failed_transaction_ ? 'E' : 'I');
    }
  }
  clear_unit();
  send_to_client(out);
}

}  // namespace tidemark::proxy
