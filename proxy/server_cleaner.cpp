#include "proxy/server_cleaner.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "protocol/frame.hpp"
#include "protocol/frontend_messages.hpp"
#include "proxy/worker.hpp"

namespace tidemark::proxy {

using protocol::Expected;
using protocol::Fate;

namespace {
constexpr std::chrono::seconds kCleaningTime{5};
}  // namespace

void ServerCleaner::start(Worker& worker, pools::Pool& pool, pools::ServerConnection& server, char status) {
  std::unique_ptr<ServerCleaner> made(new ServerCleaner(worker, pool, server));
  ServerCleaner& cleaner = *made;
  worker.keep(std::move(made));
  cleaner.begin(status);
}

ServerCleaner::ServerCleaner(Worker& worker, pools::Pool& pool, pools::ServerConnection& server)
    : worker_(worker), pool_(pool), server_(&server), deadline_(worker.reactor(), [this] { finish(false); }) {
  server.lease(*this);
}

ServerCleaner::~ServerCleaner() = default;

void ServerCleaner::begin(char status) {
  std::string out;
  if (status != 'I') {
    protocol::append_query(out, "ROLLBACK");
    server_->pipeline.push(Expected::query, Fate::swallow);
  }
  protocol::append_query(out, "DISCARD ALL");
  server_->pipeline.push(Expected::query, Fate::swallow);
  deadline_.expires_at(worker_.reactor().now() + kCleaningTime);
  if (!server_->socket.send(out)) server_->readable = true;
  if (server_->readable) read();
}

void ServerCleaner::on_server_events(pools::ServerConnection& server, pools::IoEvents events) {
  if (&server != server_) return;
  if (events.writable && server.socket.blocked() && !server.socket.flush()) return finish(false);
  if (server.readable) read();
}

void ServerCleaner::read() {
  while (server_ != nullptr && server_->readable) {
    const std::size_t have = server_->partial.size();
    if (have >= Worker::kScratchSize) return finish(false);
    std::memcpy(worker_.scratch(), server_->partial.data(), have);
    const std::size_t room = Worker::kScratchSize - have;
    const auto got = server_->socket.receive(worker_.scratch() + have, room);
    if (got.closed) return finish(false);
    if (got.bytes < room) server_->readable = server_->ended && !got.would_block;
    const std::string_view bytes(worker_.scratch(), have + got.bytes);
    const std::size_t done = process(bytes);
    if (done == std::string_view::npos) return finish(false);
    server_->partial.assign(bytes.substr(done));
    if (server_->pipeline.empty()) return finish(server_->partial.empty() && status_ == 'I');
  }
}

std::size_t ServerCleaner::process(std::string_view bytes) {
  std::size_t done = 0;
  while (bytes.size() - done >= protocol::kFrameHeader && !server_->pipeline.empty()) {
    const auto frame = protocol::peek_frame(bytes.substr(done));
    if (!frame.valid() || frame.size > Worker::kScratchSize) return std::string_view::npos;
    if (bytes.size() - done < frame.size) break;
    const std::string_view body =
        bytes.substr(done + protocol::kFrameHeader, frame.size - protocol::kFrameHeader);
    done += frame.size;
    if (frame.type == 'N' || frame.type == 'A') continue;
    if (frame.type == 'S') {
      const std::size_t end = body.find('\0');
      if (end == std::string_view::npos || end + 1 >= body.size()) return std::string_view::npos;
      server_->note_parameter(body.substr(0, end), body.substr(end + 1, body.size() - end - 2));
      continue;
    }
    if (frame.type == 'E' ||
        server_->pipeline.on_message(frame.type) == protocol::Pipeline::Verdict::violation)
      return std::string_view::npos;
    if (frame.type == 'Z') status_ = body.size() == 1 ? body[0] : 'E';
  }
  return done;
}

void ServerCleaner::give_up() {
  finish(false);
}

void ServerCleaner::finish(bool clean) {
  if (server_ == nullptr) return;
  deadline_.cancel();
  pools::ServerConnection& server = *std::exchange(server_, nullptr);
  // DISCARD ALL has forgotten all of it.
  server.settings = worker_.settings().none();
  server.prepared.clear();
  const bool right = worker_.view().node(server.node()).fault == routing::NodeFault::none;
  if (clean && right && !server.readable && !server.ended) {
    pool_.give_back(server);
  } else {
    pool_.discard(server);
  }
  worker_.forget(*this);
}

}  // namespace tidemark::proxy
