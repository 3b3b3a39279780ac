#include <algorithm>
#include <charconv>
#include <utility>

#include "protocol/error_response.hpp"
#include "protocol/frame.hpp"
#include "protocol/frontend_messages.hpp"
#include "proxy/session.hpp"
#include "proxy/session_limits.hpp"
#include "proxy/sql_words.hpp"

namespace tidemark::proxy {

using protocol::Expected;
using protocol::Fate;
using protocol::Pipeline;

namespace {
/// How a server's error text begins one of our names.
constexpr std::string_view kQuotedPrefix = "\"tidemark_";
}  // namespace

/// The server has run what ends all prepared statements, also ours: those sent behind it are there again.
void Session::on_discarded(std::string_view tag) {
  if (tag != "DISCARD ALL" && tag != "DEALLOCATE ALL") return;
  server_->prepared.clear();
  statements_.clear_except([this](std::string_view name) {
    return std::any_of(changes_.begin(), changes_.end(), [&](const auto& change) {
      return !change.confirmed && (!change.closed || change.reused) && change.name == name;
    });
  });
  for (const auto& change : changes_) {
    const bool to_come = !change.confirmed && !change.name.empty() && (!change.closed || change.reused);
    if (to_come && change.id != 0) server_->prepared.restore(change.id);
  }
  // RESET ALL goes back to what this connection was opened with; the client's own start is applied anew.
  if (tag == "DISCARD ALL") server_->settings = worker_.settings().none();
}

void Session::on_completed(const Pipeline::Entry& entry) {
  if (entry.tag >= kDescribeTag && entry.expected == Expected::parse &&
      entry.tag - kDescribeTag < descriptions_.size()) [[unlikely]] {
    // The name was taken here, but not there: the server has something else under it now.
    server_->prepared.distrust();
  }
  if (entry.tag == 0 || entry.tag >= kDescribeTag) return;
  changes_[entry.tag - 1].confirmed = true;
}

/// Another unnamed statement is being sent, or none; what it replaces is kept if the server may yet skip it.
/// Returns the tag of its entry.
std::uint32_t Session::replace_unnamed(std::string_view definition, bool on_server) {
  std::uint32_t tag = kUnnamedTag;
  if (!server_->pipeline.empty()) {
    NameChange& change = changes_.emplace_back();
    change.unnamed = statements_.take_unnamed();
    change.unnamed_was_on_server = unnamed_on_server_;
    tag = static_cast<std::uint32_t>(changes_.size());
  }
  statements_.set_unnamed(definition);
  unnamed_on_server_ = on_server;
  return tag;
}

/// The server did not carry out what was asked for: what it would have changed stays as it was. But a Parse
/// that has `failed` has ended the unnamed statement before (postgres.c, exec_parse_message).
void Session::undo(const Pipeline::Entry& entry, bool failed) {
  if (entry.tag == kUnnamedTag) {
    if (entry.fate != Fate::swallow) statements_.set_unnamed({});
    unnamed_on_server_ = false;
  }
  if (entry.tag == 0 || entry.tag >= kDescribeTag) return;
  auto& change = changes_[entry.tag - 1];
  if (change.unnamed) {
    if (failed) {
      statements_.set_unnamed({});
      unnamed_on_server_ = false;
      change.confirmed = true;
    } else {
      statements_.put_unnamed(*std::exchange(change.unnamed, std::nullopt));
      unnamed_on_server_ = change.unnamed_was_on_server;
    }
    return;
  }
  if (entry.expected == Expected::parse) {
    if (entry.fate != Fate::inject) server_->prepared.forget(change.id);
    if (!change.name.empty()) statements_.erase(change.name);
    if (change.closed) statements_.put(change.name, std::move(*change.closed));
  } else if (entry.fate == Fate::swallow) {
    server_->prepared.restore(change.id);
  } else if (change.closed) {
    statements_.put(change.name, std::move(*change.closed));
  }
  change.name.clear();
}

/// DEALLOCATE of a statement that was prepared by Parse ends the client's name only, as Close does, and is
/// not sent: drivers send it as the unnamed statement in the middle of a pipeline.
bool Session::push_deallocation(const protocol::FrontendMessage& message, std::string_view bytes) {
  auto& pipeline = server_->pipeline;
  const std::string_view body = message.body(bytes);
  switch (message.type) {
    case 'P': {
      const auto parse = protocol::parse_parse(body);
      const auto name = parse->statement.empty() ? deallocated_name(parse->query) : std::nullopt;
      if (!name || status_ == 'E' || statements_.find(*name) == nullptr) return false;
      pipeline.push(Expected::parse, Fate::inject, replace_unnamed(parse->definition, false));
      return true;
    }
    case 'B': {
      const auto bind = protocol::parse_bind(body);
      if (!bind->portal.empty()) return false;
      const auto name =
          bind->statement.empty() ? deallocated_name(statements_.unnamed_query()) : std::nullopt;
      deallocation_bound_ = name && status_ != 'E' && statements_.find(*name) != nullptr;
      if (deallocation_bound_) pipeline.push(Expected::bind, Fate::inject);
      return deallocation_bound_;
    }
    case 'D': {
      const auto target = protocol::parse_target(body);
      const bool statement = target->kind == 'S';
      if (!target->name.empty() || !deallocation_bound_) return false;
      pipeline.push(Expected::describe, Fate::inject, statement ? kStatementTag : 0);
      return true;
    }
    case 'E': {
      // The portal's name, which is empty, comes first.
      if (body.empty() || body[0] != '\0' || !std::exchange(deallocation_bound_, false)) return false;
      const auto name = deallocated_name(statements_.unnamed_query());
      auto closed = name ? statements_.take(*name) : std::nullopt;
      if (!closed) return false;
      changes_.push_back({*name, 0, std::move(closed)});
      pipeline.push(Expected::execute, Fate::inject, static_cast<std::uint32_t>(changes_.size()));
      return true;
    }
    default:
      return false;
  }
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

/// A statement that the server prepared before its tables changed ("cached plan must not change result
/// type"), or has lost: it is prepared anew, and the unit is sent again if nothing of it was done and its
/// client asks in it for the types of the result; else the client is told, and finds it prepared anew the
/// next time. The server tells both before it executes anything of the statement, and has rolled back what
/// came before it in the unit.
bool Session::heal_statements(const protocol::ErrorFields& fields) {
  const std::string_view code = fields.code.text();
  const bool outdated = code == "0A000" && fields.routine == "RevalidateCachedQuery";
  // Unless the unit itself has ended it.
  const bool lost =
      code == "26000" && !freed_from_ && fields.message.find(kQuotedPrefix) != std::string_view::npos;
  if (!outdated && !lost) return false;
  if (lost) server_->prepared.distrust();
  bool ours = false;
  bool describes = false;
  bool compared = true;
  for (const auto& message : unit_.messages) {
    if (!unit_held_ || (message.type != 'B' && message.type != 'D')) continue;
    const std::string_view body = message.body(in_.view());
    std::string_view name;
    describes = describes || message.type == 'D';
    if (message.type == 'B') {
      if (const auto bind = protocol::parse_bind(body)) name = bind->statement;
    } else if (const auto target = protocol::parse_target(body); target && target->kind == 'S') {
      name = target->name;
    }
    if (const auto* own = statements_.find(name); own != nullptr) {
      ours = true;
      compared = compared && own->told.is_known();
      if (outdated) worker_.statements().renew(*own->text);
    }
  }
  // A client that learned the types of the result before would read the new ones by them, if they are not
  // compared with what it was told.
  if (outdated && !describes && !compared) return false;
  const bool undone = unit_class_.kind == UnitKind::read || unit_class_.kind == UnitKind::write;
  if (!ours || !undone || replied_ || mid_sequence_ || !may_restart() || draining_refusal_ ||
      attempts_ >= kMaxAttempts) {
    return false;
  }
  ++attempts_;
  healed_ = true;
  worker_.counters().retries[static_cast<std::size_t>(Retry::prepared_anew)].add();
  return true;
}

/// The client's name for the statement that servers know by this one; empty: none. It may have several for
/// one text: the one that the unit uses is meant. One that has ended in the unit itself is not known any
/// more.
std::string_view Session::client_name_of(std::string_view server_name) {
  pools::StatementId id = 0;
  const std::string_view digits = server_name.substr(kQuotedPrefix.size() - 1);
  if (std::from_chars(digits.data(), digits.data() + digits.size(), id).ec != std::errc{}) return {};
  std::string_view ended;
  for (const auto& message : unit_.messages) {
    if (!unit_held_) break;
    const std::string_view body = message.body(in_.view());
    std::string_view name;
    if (message.type == 'B') {
      if (const auto bind = protocol::parse_bind(body)) name = bind->statement;
    } else if (message.type == 'P') {
      if (const auto parse = protocol::parse_parse(body)) name = parse->statement;
    } else if (message.type == 'D') {
      if (const auto target = protocol::parse_target(body); target && target->kind == 'S')
        name = target->name;
    }
    name = protocol::statement_name(name);
    const auto* own = statements_.find(name);
    if (own != nullptr && own->text->id == id) return name;
    if (own == nullptr && ended.empty()) ended = name;
  }
  const std::string_view other = statements_.name_of(id);
  return other.empty() ? ended : other;
}

/// The client knows its statements by names of its own: an error that names one of ours is told with them.
/// `tag`: of the entry that has failed.
void Session::name_statements(std::string_view body, std::uint32_t tag) {
  if (body.find(kQuotedPrefix) == std::string_view::npos) return;
  std::string told;
  while (true) {
    const std::size_t begin = body.find(kQuotedPrefix);
    const std::size_t digits = begin + kQuotedPrefix.size();
    const std::size_t end = begin == std::string_view::npos ? begin : body.find('"', digits);
    if (end == std::string_view::npos) break;
    const std::string_view ours = body.substr(begin + 1, end - begin - 1);
    told.append(body.substr(0, begin + 1));
    const bool described = tag >= kDescribeTag && tag - kDescribeTag < descriptions_.size();
    const std::string_view theirs = described ? descriptions_[tag - kDescribeTag].name : client_name_of(ours);
    told.append(theirs.empty() ? ours : theirs);
    body.remove_prefix(end);
  }
  told.append(body);
  rewritten_.assign(1, 'E');
  const auto size = static_cast<std::uint32_t>(told.size() + 4);
  for (int shift = 24; shift >= 0; shift -= 8) rewritten_ += static_cast<char>(size >> shift & 0xFF);
  rewritten_ += told;
}

}  // namespace tidemark::proxy
