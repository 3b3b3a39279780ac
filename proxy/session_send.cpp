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
using namespace std::string_view_literals;

namespace {
constexpr std::string_view kServerPrefix = "tidemark_";
/// Statement and portal by which settings are changed amid a unit, and parts of the messages.
constexpr std::string_view kSettingName = "tidemark_setting";
constexpr std::string_view kNoValues{"\0\0\0\0\0\0", 6};
constexpr std::string_view kExecuteSetting = "E\0\0\0\x19tidemark_setting\0\0\0\0\0"sv;
}  // namespace

void Session::apply_settings(pools::Gather& out) {
  const auto wanted = wanted_settings();
  for (const auto& query : pools::settings_change(*server_->settings, *wanted)) {
    const std::size_t from = out.own().size();
    protocol::append_query(out.own(), query);
    out.add_own(from);
    server_->pipeline.push(Expected::query, Fate::swallow, kSettingsTag);
    unnamed_on_server_ = false;
  }
  server_->settings = wanted;
}

/// What `server_` has to have set: the session's settings, and where its node is configured otherwise than
/// the first one that greeted, what that one has.
pools::SettingsPointer Session::wanted_settings() {
  if (!server_->peculiarities) return settings_;
  pools::SessionSettings both = *server_->peculiarities;
  for (const auto& [name, value] : settings_->values) both.set(name, value);
  return worker_.settings().intern(std::move(both));
}

/// Another client's sequences: lastval must not answer with their values.
void Session::forget_sequences(pools::Gather& out) {
  const std::size_t from = out.own().size();
  protocol::append_query(out.own(), "DISCARD SEQUENCES");
  out.add_own(from);
  server_->pipeline.push(Expected::query, Fate::swallow, kSettingsTag);
  unnamed_on_server_ = false;
}

/// The server is about to prepare `id`: what has to be closed before goes out.
void Session::make_room(pools::StatementId id, pools::Gather& out) {
  if (server_->prepared.distrusted()) [[unlikely]] {
    // No error if there is none (manual: "Extended Query").
    protocol::append_target(out.own(), 'C', 'S', pools::server_statement_name(id));
    server_->pipeline.push(Expected::close, Fate::swallow);
  }
  const auto evicted = server_->prepared.add(id, worker_.shared().config.pool.max_prepared_statements);
  if (!evicted) return;
  protocol::append_target(out.own(), 'C', 'S', pools::server_statement_name(*evicted));
  changes_.push_back({{}, *evicted, {}});
  server_->pipeline.push(Expected::close, Fate::swallow, static_cast<std::uint32_t>(changes_.size()));
}

/// Settings under which `text` is prepared, where the session has others by now; else null. Constants in a
/// text mean what they meant when its client prepared it; names in it are looked up anew, as PostgreSQL does
/// when the search_path has changed (plancache.c).
pools::SettingsPointer Session::settings_of(const PreparedText& text) {
  // What an open transaction has set is not known yet, and a failed one sets nothing.
  if (text.settings == nullptr || status_ == 'E' || tracker_.touched() != 0) return nullptr;
  if (text.settings == analysis_settings()) return nullptr;
  pools::SessionSettings wanted = *text.settings;
  for (const std::string_view name : {"search_path", "client_encoding", "application_name", "lock_timeout",
                                      "statement_timeout", "work_mem"}) {
    if (const std::string* now = server_->settings->find(name)) {
      wanted.set(name, *now);
    } else {
      wanted.erase(name);
    }
  }
  if (server_->peculiarities) {
    for (const auto& [name, value] : server_->peculiarities->values) {
      if (wanted.find(name) == nullptr) wanted.set(name, value);
    }
  }
  auto settings = worker_.settings().intern(std::move(wanted));
  return settings == server_->settings ? nullptr : settings;
}

/// Changes settings amid a unit, by messages that end neither its implicit transaction nor the unnamed
/// statement.
void Session::push_settings(const pools::SessionSettings& from, const pools::SessionSettings& to,
                            pools::Gather& out) {
  for (const auto& query : pools::settings_change(from, to)) {
    const std::size_t begin = out.own().size();
    protocol::append_parse(out.own(), kSettingName, query + std::string(3, '\0'));
    protocol::append_bind_head(out.own(), kSettingName, kSettingName, kNoValues.size());
    out.own().append(kNoValues).append(kExecuteSetting);
    protocol::append_target(out.own(), 'C', 'P', kSettingName);
    protocol::append_target(out.own(), 'C', 'S', kSettingName);
    out.add_own(begin);
    for (const auto expected :
         {Expected::parse, Expected::bind, Expected::execute, Expected::close, Expected::close})
      server_->pipeline.push(expected, Fate::swallow, kSettingsTag);
  }
}

void Session::prepare_on_server(ClientStatements::Statement& own, pools::Gather& out) {
  PreparedText& text = *own.text;
  if (server_->prepared.use(text.id) != nullptr) return;
  const std::size_t from = out.own().size();
  make_room(text.id, out);
  // The types that a server has told this client for its parameters hold on, as they do in PostgreSQL.
  const bool typed = own.told.parameters != 0 && own.told.parameters == text.parameters;
  out.add_own(from);
  const auto settings = settings_of(text);
  if (settings != nullptr) [[unlikely]]
    push_settings(*server_->settings, *settings, out);
  const std::size_t behind = out.own().size();
  protocol::append_parse(out.own(), text.server_name, typed ? text.typed_definition : text.definition);
  out.add_own(behind);
  changes_.push_back({{}, text.id, {}});
  server_->pipeline.push(Expected::parse, Fate::swallow, static_cast<std::uint32_t>(changes_.size()));
  if (settings != nullptr) [[unlikely]]
    push_settings(*settings, *server_->settings, out);
}

void Session::prepare_unnamed_on_server(pools::Gather& out) {
  if (unnamed_on_server_) return;
  const std::size_t from = out.own().size();
  if (statements_.unnamed().empty()) {
    // The client has none, but the server may still have another client's.
    protocol::append_target(out.own(), 'C', 'S', {});
    server_->pipeline.push(Expected::close, Fate::swallow);
  } else {
    if (!compared_) unnamed_shape_ = {};
    protocol::append_parse(out.own(), {}, statements_.unnamed());
    server_->pipeline.push(Expected::parse, Fate::swallow, kUnnamedTag);
  }
  out.add_own(from);
  unnamed_on_server_ = true;
}

/// `room` holds the name if it has to be made.
std::string_view Session::server_name(std::string_view name, const ClientStatements::Statement* own,
                                      std::string& room) {
  if (own != nullptr) return own->text->server_name;
  // Unknown to us: made by SQL PREPARE in a pinned session, or by nobody, which the server will say. It must
  // not meet a name of our own.
  if (!name.starts_with(kServerPrefix)) return name;
  room.assign(1, '_').append(name);
  return room;
}

/// Whether the name is that of no statement any more, because the unit itself has ended all before.
bool Session::is_freed(std::string_view name) const {
  if (!freed_from_) [[likely]]
    return false;
  const auto begin = changes_.begin() + static_cast<std::ptrdiff_t>(std::min(*freed_from_, changes_.size()));
  return std::none_of(begin, changes_.end(), [&](const NameChange& change) {
    return change.name == protocol::statement_name(name);
  });
}

/// The client's statement of that name, at this place of the unit; null: none.
ClientStatements::Statement* Session::find_statement(std::string_view name) {
  return is_freed(name) ? nullptr : statements_.find(name);
}

void Session::push_parse(const protocol::ParseView& parse, std::string_view whole, pools::Gather& out) {
  if (parse.statement.empty()) {
    server_->pipeline.push(Expected::parse, Fate::forward, replace_unnamed(parse.definition, true));
    unnamed_shape_ = {};
    out.add(whole);
    return;
  }
  std::string name(protocol::statement_name(parse.statement));
  if (auto* existing = find_statement(name);
      existing != nullptr && is_replaying() && existing->text->definition == parse.definition) [[unlikely]] {
    // The transaction has prepared it before.
    prepare_on_server(*existing, out);
    server_->pipeline.push(Expected::parse, Fate::inject);
    return;
  }
  if (auto* existing = find_statement(name); existing != nullptr) {
    // The name is taken: the server says so, in its place among the answers.
    prepare_on_server(*existing, out);
    const std::size_t from = out.own().size();
    protocol::append_parse(out.own(), existing->text->server_name, parse.definition);
    out.add_own(from);
    server_->pipeline.push(Expected::parse, Fate::forward, note_description(name, {}));
    return;
  }
  if (const auto limit = statement_limit(parse)) return push_refused_parse(*limit, out);
  // A unit that leaves state may make its server forget what it has prepared (DEALLOCATE ALL) before this is
  // parsed.
  auto& statements = worker_.statements();
  auto text = unit_class_.ends_state
                  ? statements.refer_alone(parse.definition, group_->database)
                  : statements.refer(parse.definition, group_->database, analysis_settings());
  text->settings = analysis_settings();
  const pools::StatementId id = text->id;
  auto closed = is_freed(name) ? statements_.take(name) : std::nullopt;
  statements_.put(name, {std::move(text)});
  // In a failed transaction the server refuses every Parse but that of its end, whatever it has prepared.
  const bool refused = status_ == 'E' && !may_be_parsed_when_failed(parse.query);
  const bool known = server_->prepared.use(id) != nullptr;
  const bool there = known && !refused;
  if (refused) {
    // Unless the transaction ends before it, in the same pipeline: then the server has it.
    server_->prepared.restore(id);
    const std::size_t from = out.own().size();
    protocol::append_parse(out.own(), pools::server_statement_name(id), parse.definition);
    out.add_own(from);
  } else if (!there) {
    const std::size_t from = out.own().size();
    make_room(id, out);
    protocol::append_parse(out.own(), pools::server_statement_name(id), parse.definition);
    out.add_own(from);
  }
  const bool reused = closed.has_value();
  changes_.push_back({std::move(name), refused && known ? 0 : id, std::move(closed), reused});
  server_->pipeline.push(Expected::parse, there ? Fate::inject : Fate::forward,
                         static_cast<std::uint32_t>(changes_.size()));
}

/// Of one of the client's statements; empty: none of that name.
std::string_view Session::query_of(std::string_view statement) {
  if (statement.empty()) return statements_.unnamed_query();
  const auto* own = statements_.find(statement);
  return own != nullptr ? own->text->query() : std::string_view{};
}

void Session::push_bind(std::string_view whole, pools::Gather& out) {
  const auto bind = protocol::parse_bind(whole.substr(protocol::kFrameHeader));
  if (unit_class_.ends_state) [[unlikely]] {
    if (ends_all_statements(query_of(bind->statement))) {
      freeing_portal_ = bind->portal;
    } else if (freeing_portal_ == bind->portal) {
      freeing_portal_.reset();
    }
  }
  if (bind->statement.empty()) {
    if (!ensure_unnamed(out)) return push_outdated(out);
    out.add(whole);
  } else {
    auto* own = find_statement(bind->statement);
    if (own != nullptr && !ensure_prepared(*bind, *own, out)) return push_outdated(out);
    std::string room;
    const std::string_view name = server_name(bind->statement, own, room);
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
  auto* own = target->kind == 'S' && !unnamed ? find_statement(target->name) : nullptr;
  std::uint32_t tag = 0;
  if (type == 'D' && (own != nullptr || unnamed)) {
    if (own != nullptr) prepare_on_server(*own, out);
    if (unnamed) prepare_unnamed_on_server(out);
    tag = note_description(target->name, {});
  } else if (type == 'D' && !learning_from_.empty() && target->kind == 'P' &&
             target->name == learning_portal_) {
    tag = note_description(learning_from_, {});
  }
  if (unnamed && type == 'C') tag = replace_unnamed({}, unnamed_on_server_);
  if (target->kind == 'P' || unnamed) {
    out.add(whole);
  } else if (type == 'C' && own != nullptr) {
    // Only this client's name for it ends; the server's statement may serve others.
    const std::string_view name = protocol::statement_name(target->name);
    changes_.push_back({std::string(name), 0, statements_.take(name)});
    server_->pipeline.push(expected, Fate::inject, static_cast<std::uint32_t>(changes_.size()));
    return;
  } else {
    std::string room;
    const std::string_view name = server_name(target->name, own, room);
    const std::size_t from = out.own().size();
    protocol::append_target(out.own(), type, 'S', name);
    out.add_own(from);
  }
  server_->pipeline.push(expected, Fate::forward, tag);
}

void Session::push_message(const protocol::FrontendMessage& message, std::string_view bytes,
                           pools::Gather& out) {
  const std::string_view whole = message.whole(bytes);
  auto& pipeline = server_->pipeline;
  if (unit_class_.ends_state && push_deallocation(message, bytes)) [[unlikely]]
    return;
  switch (message.type) {
    case 'Q':
      // A Query ends the unnamed statement (manual: "Extended Query").
      pipeline.push(Expected::query, Fate::forward, replace_unnamed({}, false));
      break;
    case 'P':
      return push_parse(*protocol::parse_parse(message.body(bytes)), whole, out);
    case 'B':
      return push_bind(whole, out);
    case 'D':
    case 'C':
      return push_target(message.type, whole, out);
    case 'E':
      if (freeing_portal_) [[unlikely]] {
        const std::string_view body = message.body(bytes);
        if (body.substr(0, body.find('\0')) == *freeing_portal_) freed_from_ = changes_.size();
      }
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
    pipeline.push(Expected::query, Fate::forward, replace_unnamed({}, false));
    out.add(there);
  } else if (head.type == 'F') {
    pipeline.push(Expected::function_call, Fate::forward);
    out.add(there);
  } else if (head.type == 'P') {
    // Too long to be kept, so it can only be the unnamed statement, and only until another server is needed.
    pipeline.push(Expected::parse, Fate::forward, replace_unnamed({}, true));
    unnamed_shape_ = {};
    out.add(there);
  } else {
    const auto bind = protocol::parse_bind(there.substr(protocol::kFrameHeader));
    auto* own = bind->statement.empty() ? nullptr : statements_.find(bind->statement);
    const bool fits =
        bind->statement.empty() ? ensure_unnamed(out) : own == nullptr || ensure_prepared(*bind, *own, out);
    if (!fits) {
      discard_long_message_ = true;
      return push_outdated(out);
    }
    if (bind->statement.empty()) {
      out.add(there);
    } else {
      std::string room;
      const std::string_view name = server_name(bind->statement, own, room);
      const std::size_t from = out.own().size();
      protocol::append_bind_head(out.own(), bind->portal, name, bind->rest.size() + long_message_left_);
      out.add_own(from);
      out.add(bind->rest);
    }
    pipeline.push(Expected::bind, Fate::forward);
  }
}

/// What the server connection needs before anything of the client's runs on it.
void Session::push_preparations(pools::Gather& out) {
  if (server_->settings != settings_) [[unlikely]]
    apply_settings(out);
  if (group_->reads_sequences && server_->last_session != user_key_) [[unlikely]]
    forget_sequences(out);
  server_->last_session = user_key_;
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
  if (unit_compares_ && !compared_ && must_compare_first()) return compare_first();
  pools::Gather out(server_->socket, worker_.own_bytes());
  push_preparations(out);
  if (!held_begin_.empty()) {
    const std::size_t from = out.own().size();
    protocol::append_query(out.own(), held_begin_);
    out.add_own(from);
    server_->pipeline.push(Expected::query, Fate::swallow);
    unnamed_on_server_ = false;
  }
  if (record_ != nullptr) [[unlikely]]
    push_outcome_question(out);
  // What has been compared must still be there.
  if (!compared_) server_->prepared.begin_unit();
  const std::string_view bytes = in_.view();
  learning_from_ = {};
  freeing_portal_.reset();
  if (!mid_sequence_) freed_from_.reset();
  for (const auto& message : unit_.messages) push_message(message, bytes, out);
  if (unit_is_long_) [[unlikely]]
    push_long_head(out);
  if (malformed_ahead_) [[unlikely]]
    out.add(protocol::kFlush);
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
  if (mid_sequence_ && !held_begin_.empty()) {
    // The transaction is at its server: what follows finds it there, and cannot be sent again elsewhere.
    held_begin_.clear();
    unit_class_.kind = UnitKind::in_transaction;
  }
  if (server_->readable || (!server_->pipeline.empty() && server_->pipeline.front().fate == Fate::inject))
    read_server();
}
}  // namespace tidemark::proxy
