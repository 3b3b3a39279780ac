#include <algorithm>

#include "protocol/frame.hpp"
#include "protocol/frontend_messages.hpp"
#include "proxy/session.hpp"
#include "proxy/session_limits.hpp"
#include "proxy/sql_words.hpp"

namespace tidemark::proxy {

using protocol::Expected;
using protocol::Fate;
using End = protocol::Unit::End;

namespace {
constexpr std::string_view kServerPrefix = "tidemark_";
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
  // Unknown to us: made by SQL PREPARE in a pinned session, or by nobody, which the server will say. It must
  // not meet a name of our own.
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
  // A unit that leaves state may make its server forget what it has prepared (DEALLOCATE ALL) before this is
  // parsed.
  auto& statements = worker_.statements();
  auto text = unit_pins_ ? statements.refer_alone(parse.definition, group_->database)
                         : statements.refer(parse.definition, group_->database);
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
    if (const auto evicted =
            server_->prepared.add(id, worker_.shared().config.pool.max_prepared_statements)) {
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

void Session::push_message(const protocol::FrontendMessage& message, std::string_view bytes,
                           pools::Gather& out) {
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
    const std::string_view body =
        in_.view().substr(std::min(in_.size(), head.offset + protocol::kFrameHeader));
    // The names stand first; without them the message cannot be passed on.
    if ((head.type == 'B' && !protocol::parse_bind(body)) ||
        (head.type == 'P' && (body.empty() || body[0] != '\0'))) {
      return head.type == 'P' ? fail_session(describe(Failure::statement_too_long, "16 MB"))
                              : protocol_error("malformed Bind");
    }
  }
  pools::Gather out(server_->socket, worker_.own_bytes());
  if (server_->settings != settings_) [[unlikely]]
    apply_settings(out);
  if (!held_begin_.empty()) {
    const std::size_t from = out.own().size();
    protocol::append_query(out.own(), held_begin_);
    out.add_own(from);
    server_->pipeline.push(Expected::query, Fate::swallow);
  }
  server_->prepared.begin_unit();
  const std::string_view bytes = in_.view();
  for (const auto& message : unit_.messages) push_message(message, bytes, out);
  if (unit_is_long_) [[unlikely]]
    push_long_head(out);
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
  if (server_->readable || (!server_->pipeline.empty() && server_->pipeline.front().fate == Fate::inject))
    read_server();
}
}  // namespace tidemark::proxy
